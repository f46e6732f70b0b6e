-- Tables of libpua for MariaDB 10.5 or later. Usable by hand: mysql presence < pua-create.sql
-- puadbctl runs this text (puadbctl(8)), with the names `pua...` replaced where db_table is another one.
--
-- Columns: those of OpenSIPS table `pua` version 9 under their names, wider where those are too short, then what full
-- recovery needs. Times are seconds since 1970; 0 in expires: nothing granted; 0 in desired_expires: for ever.
-- Strings are kept octet by octet (VARBINARY): compared exactly, blanks at the end and case included. No character set is left to
-- the server's default.

CREATE TABLE IF NOT EXISTS `version` (
  table_name    VARCHAR(64) NOT NULL,
  table_version INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (table_name)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE `pua` (
  id               BIGINT NOT NULL,
  pres_uri         VARBINARY(1023) NOT NULL,
  pres_id          VARBINARY(255) NOT NULL DEFAULT '',
  event            INT NOT NULL,
  expires          BIGINT NOT NULL DEFAULT 0,
  desired_expires  BIGINT NOT NULL DEFAULT 0,
  flag             INT NOT NULL,
  etag             VARBINARY(255),
  tuple_id         VARBINARY(255),
  watcher_uri      VARBINARY(1023) NOT NULL DEFAULT '',
  to_uri           VARBINARY(1023) NOT NULL DEFAULT '',
  call_id          VARBINARY(255),
  to_tag           VARBINARY(255),
  from_tag         VARBINARY(255),
  cseq             BIGINT,
  record_route     BLOB,
  contact          VARBINARY(1023),
  remote_contact   VARBINARY(1023),
  version          BIGINT,
  extra_headers    BLOB,
  sharing_tag      VARBINARY(255),
  -- not in OpenSIPS version 9
  body             MEDIUMBLOB,
  content_type     VARBINARY(255),
  outbound_proxy   VARBINARY(1023),
  event_id         VARBINARY(255),
  target           VARBINARY(1023),
  record_version   BIGINT NOT NULL DEFAULT 0,
  owner_epoch      BIGINT NOT NULL DEFAULT 0,
  node             INT NOT NULL DEFAULT 0,
  updated_at       BIGINT NOT NULL DEFAULT 0,
  intent           INT NOT NULL DEFAULT 0,
  intent_expires   INT NOT NULL DEFAULT 0,
  -- One record a key. The six columns together are longer than an index can be, so their digest is what is unique.
  key_digest       BINARY(32) AS (UNHEX(SHA2(CONCAT(
                     LENGTH(pres_uri), ':', pres_uri, event, ',', flag, ',', LENGTH(pres_id), ':', pres_id,
                     LENGTH(watcher_uri), ':', watcher_uri, LENGTH(to_uri), ':', to_uri), 256))) PERSISTENT,
  PRIMARY KEY (id),
  UNIQUE KEY pua_key (key_digest)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=binary;

-- Small values beside the rows: state of the clock and the like.
CREATE TABLE IF NOT EXISTS `pua_meta` (
  name   VARBINARY(64) NOT NULL,
  value  VARBINARY(1024) NOT NULL,
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=binary;

INSERT INTO `version` (table_name, table_version) VALUES ('pua', 12) ON DUPLICATE KEY UPDATE table_version = 12;
