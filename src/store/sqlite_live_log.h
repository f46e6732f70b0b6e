// The write-ahead log of a connection that is open: whether what stands in the file is what this process and the others have
// written, as the index says that they all share. Who copies another log over it, in place, changes neither its name nor its
// inode.
#pragma once

#include <sqlite3.h>

#include <array>
#include <cstdint>
#include <string>

namespace pua {

class SqliteLiveLog {
 public:
  explicit SqliteLiveLog(sqlite3* db) : db_(db) {}

  // Takes what is there now as known: we have written it, or have looked at it.
  void remember();
  // After a commit of ours: whether the frame that it went on behind, and the head, are those that we know. Two reads of a few
  // octets. false: our commit went behind another log.
  bool committed();
  // Somebody else has written to it: whether all that counts still stands in it. path: its name, in case it has to be read as a
  // whole.
  bool sound(const std::string& path);
  // How many of its pages are in the file, whoever has brought them there.
  uint32_t folded() const;
  // Whether all of its frames that count are there.
  bool whole(const std::string& path);

 private:
  // What SQLite's index tells of it (walIndexHdr).
  struct Head {
    uint32_t changes = 0, frames = 0, page_size = 0;
    std::array<uint32_t, 2> sum{};
    std::array<unsigned char, 8> salt{};
    bool operator==(const Head&) const = default;
  };
  const void volatile* index() const;
  bool read_index(Head&) const;
  bool read(int64_t at, void* to, int n) const;
  bool holds(const Head&) const;

  sqlite3* db_;
  Head known_;
};

}  // namespace pua
