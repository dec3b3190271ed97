"""The claims ledger: what five studies state, and what our tables say to it."""
