-- From schema version 12 back to 11. puadbctl downgrade folds the journal, runs this, and sets the number.
DROP VIEW "pua_rows";
DROP TABLE "pua_journal";
