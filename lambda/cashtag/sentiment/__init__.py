"""Sentiment models behind one protocol: lexicon now, RoBERTa and ensembles beside it."""
