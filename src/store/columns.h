// The columns of table pua, in the order of the schema. One list for every database that speaks SQL, for writing and reading.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

#include "core/store_port.h"

namespace pua {

// What table `version` says of these tables. 9 is OpenSIPS's; 10 and 11 are the same with the columns that full recovery
// needs, and a unique key; 12 has the journal beside it, in SQLite.
constexpr int kSchemaVersion = 12;

// Key: part of the unique key, written once, never NULL. Text: NULL when empty. Blob: octets.
// width: most octets that the column holds in db/mysql (SQLite has no limit); the checks of the core are within it.
// X(kind, column, Row member, width)
#define PUA_COLUMNS(X)                              \
  X(Id, id, id, 0)                                  \
  X(KeyText, pres_uri, pres_uri, 1023)              \
  X(KeyText, pres_id, pres_id, 255)                 \
  X(KeyInt, event, event, 0)                        \
  X(Int, expires, expires, 0)                       \
  X(Int, desired_expires, desired_expires, 0)       \
  X(KeyInt, flag, flag, 0)                          \
  X(Text, etag, etag, 255)                          \
  X(Text, tuple_id, tuple_id, 255)                  \
  X(KeyText, watcher_uri, watcher_uri, 1023)        \
  X(KeyText, to_uri, to_uri, 1023)                  \
  X(Text, call_id, call_id, 255)                    \
  X(Text, to_tag, to_tag, 255)                      \
  X(Text, from_tag, from_tag, 255)                  \
  X(Int, cseq, cseq, 0)                             \
  X(Text, record_route, record_route, 65535)        \
  X(Text, contact, contact, 1023)                   \
  X(Text, remote_contact, remote_contact, 1023)     \
  X(Int, version, version, 0)                       \
  X(Text, extra_headers, extra_headers, 65535)      \
  X(Text, sharing_tag, sharing_tag, 255)            \
  X(Blob, body, body, 16777215)                     \
  X(Text, content_type, content_type, 255)          \
  X(Text, outbound_proxy, outbound_proxy, 1023)     \
  X(Text, event_id, event_id, 255)                  \
  X(Text, target, target, 1023)                     \
  X(Int, record_version, record_version, 0)         \
  X(Int, owner_epoch, owner_epoch, 0)               \
  X(Int, node, node, 0)                             \
  X(Int, updated_at, updated_at, 0)                 \
  X(Int, intent, intent, 0)                         \
  X(Int, intent_expires, intent_expires, 0)

// What a narrow write carries, besides the id: what a record changes by itself, and the order of its versions. All else comes
// from an owner or belongs to a dialog, and changes rarely.
#define PUA_NARROW_COLUMNS(X)                       \
  X(Int, expires, expires, 0)                       \
  X(Int, desired_expires, desired_expires, 0)       \
  X(Text, etag, etag, 255)                          \
  X(Text, call_id, call_id, 255)                    \
  X(Text, from_tag, from_tag, 255)                  \
  X(Int, cseq, cseq, 0)                             \
  X(Int, record_version, record_version, 0)         \
  X(Int, owner_epoch, owner_epoch, 0)               \
  X(Int, node, node, 0)                             \
  X(Int, updated_at, updated_at, 0)                 \
  X(Int, intent, intent, 0)                         \
  X(Int, intent_expires, intent_expires, 0)

enum class ColumnKind : uint8_t { Id, KeyText, KeyInt, Int, Text, Blob };

struct Column {
  ColumnKind kind;
  const char* name;
  size_t width;
};

inline constexpr Column kColumns[] = {
#define X(kind, column, member, width) {ColumnKind::kind, #column, width},
    PUA_COLUMNS(X)
#undef X
};
inline constexpr int kColumnCount = static_cast<int>(sizeof kColumns / sizeof kColumns[0]);

inline constexpr Column kNarrowColumns[] = {
#define X(kind, column, member, width) {ColumnKind::kind, #column, width},
    PUA_NARROW_COLUMNS(X)
#undef X
};
inline constexpr int kNarrowCount = static_cast<int>(sizeof kNarrowColumns / sizeof kNarrowColumns[0]);

template <class V, class N, class T>
void visit_column(ColumnKind kind, V& value, N& number, T& text) {
  if constexpr (std::is_convertible_v<V&, std::string_view>) text(kind, value);
  else number(kind, value);
}

// Calls number(kind, member) or text(kind, member) for each column, in order. R: Row or const Row.
template <class R, class N, class T>
void for_each_column(R& r, N number, T text) {
#define X(kind, column, member, width) visit_column(ColumnKind::kind, r.member, number, text);
  PUA_COLUMNS(X)
#undef X
}

// The same for those of a narrow write.
template <class R, class N, class T>
void for_each_narrow_column(R& r, N number, T text) {
#define X(kind, column, member, width) visit_column(ColumnKind::kind, r.member, number, text);
  PUA_NARROW_COLUMNS(X)
#undef X
}

// What a narrow write does to the row that is there. Views are copied, not what they point at.
inline void take_narrow(Row& to, const Row& from) {
#define X(kind, column, member, width) to.member = from.member;
  PUA_NARROW_COLUMNS(X)
#undef X
}

// A number of the database as a member of Row: one that does not fit must not turn into one that looks sound.
template <class T>
T fitting(int64_t v) {
  constexpr int64_t least = std::numeric_limits<T>::min(), most = std::numeric_limits<T>::max();
  return static_cast<T>(v < least ? least : v > most ? most : v);
}

// The first column whose value is longer than its width; nullptr: all fit.
inline const Column* too_long(const Row& r) {
  int at = 0;
  const Column* bad = nullptr;
  for_each_column(r, [&](ColumnKind, int64_t) { at++; }, [&](ColumnKind, std::string_view v) {
    const Column& c = kColumns[at++];
    if (!bad && v.size() > c.width) bad = &c;
  });
  return bad;
}

}  // namespace pua
