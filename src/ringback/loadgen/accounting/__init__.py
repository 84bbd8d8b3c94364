"""What became of every call: the ledger, deliveries, and one account from several ledgers."""
