// The columns of table pua as SQLite binds and reads them, in the order of the schema. One list for both directions.
#pragma once

#include <string_view>

#include "core/store_port.h"

namespace pua {

// Key: part of the unique key, written once, never NULL. Text: NULL when empty. Blob: octets.
// X(kind, column, Row member)
#define PUA_COLUMNS(X)                        \
  X(Id, id, id)                               \
  X(KeyText, pres_uri, pres_uri)              \
  X(KeyText, pres_id, pres_id)                \
  X(KeyInt, event, event)                     \
  X(Int, expires, expires)                    \
  X(Int, desired_expires, desired_expires)    \
  X(KeyInt, flag, flag)                       \
  X(Text, etag, etag)                         \
  X(Text, tuple_id, tuple_id)                 \
  X(KeyText, watcher_uri, watcher_uri)        \
  X(KeyText, to_uri, to_uri)                  \
  X(Text, call_id, call_id)                   \
  X(Text, to_tag, to_tag)                     \
  X(Text, from_tag, from_tag)                 \
  X(Int, cseq, cseq)                          \
  X(Text, record_route, record_route)         \
  X(Text, contact, contact)                   \
  X(Text, remote_contact, remote_contact)     \
  X(Int, version, version)                    \
  X(Text, extra_headers, extra_headers)       \
  X(Text, sharing_tag, sharing_tag)           \
  X(Blob, body, body)                         \
  X(Text, content_type, content_type)         \
  X(Text, outbound_proxy, outbound_proxy)     \
  X(Text, event_id, event_id)                 \
  X(Text, target, target)                     \
  X(Int, record_version, record_version)      \
  X(Int, owner_epoch, owner_epoch)            \
  X(Int, node, node)                          \
  X(Int, updated_at, updated_at)              \
  X(Int, intent, intent)                      \
  X(Int, intent_expires, intent_expires)

enum class ColumnKind : uint8_t { Id, KeyText, KeyInt, Int, Text, Blob };

struct Column {
  ColumnKind kind;
  const char* name;
};

inline constexpr Column kColumns[] = {
#define X(kind, column, member) {ColumnKind::kind, #column},
    PUA_COLUMNS(X)
#undef X
};
inline constexpr int kColumnCount = static_cast<int>(sizeof kColumns / sizeof kColumns[0]);

}  // namespace pua
