"""Questions an operator asks: status, explain, doctor, the notebook lake."""
