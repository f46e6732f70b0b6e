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

-- Changes of rows that are committed and not in the rows yet: appending here costs a tenth of writing the row. The library folds
-- them in when there is time. Of the lines of a row the last one counts, while it is newer than the row by owner_epoch,
-- record_version and node.
CREATE TABLE "pua_journal" (
  seq              INTEGER PRIMARY KEY NOT NULL,
  id               INTEGER NOT NULL,
  expires          INTEGER,
  desired_expires  INTEGER,
  etag             TEXT,
  call_id          TEXT,
  from_tag         TEXT,
  cseq             INTEGER,
  record_version   INTEGER NOT NULL,
  owner_epoch      INTEGER NOT NULL,
  node             INTEGER NOT NULL,
  updated_at       INTEGER,
  intent           INTEGER,
  intent_expires   INTEGER
);

-- The rows as they are with the journal: for whoever looks in, and for copying them.
CREATE VIEW "pua_rows" AS
  SELECT p.id, p.pres_uri, p.pres_id, p.event, iif(j.id IS NULL, p.expires, j.expires) AS expires,
         iif(j.id IS NULL, p.desired_expires, j.desired_expires) AS desired_expires, p.flag,
         iif(j.id IS NULL, p.etag, j.etag) AS etag, p.tuple_id, p.watcher_uri, p.to_uri,
         iif(j.id IS NULL, p.call_id, j.call_id) AS call_id, p.to_tag,
         iif(j.id IS NULL, p.from_tag, j.from_tag) AS from_tag, iif(j.id IS NULL, p.cseq, j.cseq) AS cseq,
         p.record_route, p.contact, p.remote_contact, p.version, p.extra_headers, p.sharing_tag, p.body,
         p.content_type, p.outbound_proxy, p.event_id, p.target,
         iif(j.id IS NULL, p.record_version, j.record_version) AS record_version,
         iif(j.id IS NULL, p.owner_epoch, j.owner_epoch) AS owner_epoch, iif(j.id IS NULL, p.node, j.node) AS node,
         iif(j.id IS NULL, p.updated_at, j.updated_at) AS updated_at,
         iif(j.id IS NULL, p.intent, j.intent) AS intent,
         iif(j.id IS NULL, p.intent_expires, j.intent_expires) AS intent_expires
  FROM "pua" p
  LEFT JOIN (SELECT id AS of_id, max(seq) AS last FROM "pua_journal" GROUP BY id) n ON n.of_id = p.id
  LEFT JOIN "pua_journal" j ON j.seq = n.last AND
    (j.owner_epoch, j.record_version, j.node) > (p.owner_epoch, p.record_version, p.node);

INSERT OR REPLACE INTO "version" (table_name, table_version) VALUES ('pua', 12);
