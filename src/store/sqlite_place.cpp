#include "store/sqlite_place.h"

#include <sys/stat.h>

namespace pua {

FileId FileId::of(const std::string& path) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0) return {};
  return {st.st_dev, st.st_ino, true};
}

SqlitePlace::State SqlitePlace::state_of(const std::string& path) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0) return {};
  return {{st.st_dev, st.st_ino, true}, st.st_size, static_cast<int64_t>(st.st_mtim.tv_sec) * 1000000000 + st.st_mtim.tv_nsec};
}

void SqlitePlace::remember() {
  State seen = state();
  if (now_.id.there && !(seen.id == now_.id)) return;  // not ours: look() says so
  now_ = seen;
  remember_log();
}

void SqlitePlace::remember_log() {
  if (!log_.there) log_ = FileId::of(log_path());
}

SqlitePlace::Change SqlitePlace::look() const {
  State seen = state();
  if (!seen.id.there) return Change::Gone;
  if (!(seen.id == now_.id)) return Change::Replaced;
  if (log_.there && !(FileId::of(log_path()) == log_)) return Change::LogGone;
  return seen == now_ ? Change::None : Change::Written;
}

const char* SqlitePlace::text(Change c) {
  switch (c) {
    case Change::Gone: return "the file was removed";
    case Change::Replaced: return "another file stands in its place";
    case Change::LogGone: return "its write-ahead log was removed or replaced";
    case Change::Written: return "another file's content was written over it";
    case Change::None: break;
  }
  return "it is as it was";
}

}  // namespace pua
