"""The desk: plan, gates, sizing, exits, settlement and the ledger."""
