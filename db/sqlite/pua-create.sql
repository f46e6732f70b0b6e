-- Tables of libpua for SQLite. Usable by hand: sqlite3 /var/lib/puad/pua.db < pua-create.sql
-- The library runs this text itself on first use, with the names "pua..." replaced where db_table is another one.
--
-- Columns: those of OpenSIPS table `pua` version 9 under their names, then what full recovery needs.
-- Times are seconds since 1970; 0 in expires: nothing granted; 0 in desired_expires: for ever.

CREATE TABLE IF NOT EXISTS "version" (
  table_name    TEXT PRIMARY KEY NOT NULL,
  table_version INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE "pua" (
  id               INTEGER PRIMARY KEY NOT NULL,
  pres_uri         TEXT NOT NULL,
  pres_id          TEXT NOT NULL DEFAULT '',
  event            INTEGER NOT NULL,
  expires          INTEGER NOT NULL DEFAULT 0,
  desired_expires  INTEGER NOT NULL DEFAULT 0,
  flag             INTEGER NOT NULL,
  etag             TEXT,
  tuple_id         TEXT,
  watcher_uri      TEXT NOT NULL DEFAULT '',
  to_uri           TEXT NOT NULL DEFAULT '',
  call_id          TEXT,
  to_tag           TEXT,
  from_tag         TEXT,
  cseq             INTEGER,
  record_route     TEXT,
  contact          TEXT,
  remote_contact   TEXT,
  version          INTEGER,
  extra_headers    TEXT,
  sharing_tag      TEXT,
  -- not in OpenSIPS version 9
  body             BLOB,
  content_type     TEXT,
  outbound_proxy   TEXT,
  event_id         TEXT,
  target           TEXT,
  record_version   INTEGER NOT NULL DEFAULT 0,
  owner_epoch      INTEGER NOT NULL DEFAULT 0,
  node             INTEGER NOT NULL DEFAULT 0,
  updated_at       INTEGER NOT NULL DEFAULT 0,
  intent           INTEGER NOT NULL DEFAULT 0,
  intent_expires   INTEGER NOT NULL DEFAULT 0
);

-- One record a key. Compared octet by octet (BINARY is SQLite's default collation).
CREATE UNIQUE INDEX "pua_key" ON "pua" (pres_uri, event, flag, pres_id, watcher_uri, to_uri);

-- Small values beside the rows: state of the clock and the like.
CREATE TABLE IF NOT EXISTS "pua_meta" (
  name   TEXT PRIMARY KEY NOT NULL,
  value  BLOB NOT NULL
) WITHOUT ROWID;

INSERT OR REPLACE INTO "version" (table_name, table_version) VALUES ('pua', 11);
