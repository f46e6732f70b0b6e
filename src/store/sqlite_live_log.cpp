#include "store/sqlite_live_log.h"

#include <cstring>

#include "store/sqlite_wal.h"

namespace pua {

namespace {

// Where these stand in the index, in octets, and in the log. The index begins with the same 48 octets twice: who writes it
// writes one after the other.
constexpr int kIndexOctets = 32768;
constexpr size_t kCopyOctets = 48, kChanges = 8, kPageSize = 14, kFrames = 16, kSum = 24, kSalt = 32, kFolded = 96;
constexpr int64_t kLogHead = 32, kFrameHead = 24;
constexpr int kTries = 3;

uint32_t be32(const unsigned char* p) { return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3]; }

}  // namespace

const void volatile* SqliteLiveLog::index() const {
  sqlite3_file* f = nullptr;
  void volatile* index = nullptr;
  if (sqlite3_file_control(db_, "main", SQLITE_FCNTL_FILE_POINTER, &f) != SQLITE_OK || !f || !f->pMethods) return nullptr;
  if (f->pMethods->iVersion < 2 || f->pMethods->xShmMap(f, 0, kIndexOctets, 0, &index) != SQLITE_OK) return nullptr;
  return index;
}

uint32_t SqliteLiveLog::folded() const {
  const void volatile* p = index();
  return p ? static_cast<const uint32_t volatile*>(p)[kFolded / sizeof(uint32_t)] : 0;
}

// false: somebody is just writing it, or there is none.
bool SqliteLiveLog::read_index(Head& h) const {
  const auto* p = static_cast<const unsigned char volatile*>(index());
  if (!p) return false;
  for (int i = 0; i < kTries; i++) {
    unsigned char both[2 * kCopyOctets];
    for (size_t n = 0; n < sizeof both; n++) both[n] = p[n];
    if (memcmp(both, both + kCopyOctets, kCopyOctets) != 0) continue;
    uint16_t size = 0;
    memcpy(&h.changes, both + kChanges, 4);
    memcpy(&size, both + kPageSize, 2);
    memcpy(&h.frames, both + kFrames, 4);
    memcpy(h.sum.data(), both + kSum, 8);
    memcpy(h.salt.data(), both + kSalt, 8);
    h.page_size = size == 1 ? 65536 : size;
    return true;
  }
  return false;
}

bool SqliteLiveLog::read(int64_t at, void* to, int n) const {
  sqlite3_file* f = nullptr;
  if (sqlite3_file_control(db_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &f) != SQLITE_OK || !f || !f->pMethods) return false;
  return f->pMethods->xRead(f, to, n, at) == SQLITE_OK;
}

// Looks at the head, and at the last frame, whose checksum covers all frames before it.
bool SqliteLiveLog::holds(const Head& h) const {
  if (h.frames == 0) return true;  // it has begun anew, and nothing of it is in the file yet
  unsigned char head[kLogHead], frame[kFrameHead];
  if (!read(0, head, sizeof head) || memcmp(head + 16, h.salt.data(), 8) != 0) return false;
  if (!read(kLogHead + (int64_t{h.frames} - 1) * (kFrameHead + h.page_size), frame, sizeof frame)) return false;
  return memcmp(frame + 8, h.salt.data(), 8) == 0 && be32(frame + 16) == h.sum[0] && be32(frame + 20) == h.sum[1];
}

void SqliteLiveLog::remember() {
  if (!read_index(known_)) known_ = {};
}

bool SqliteLiveLog::committed() {
  Head before = known_;
  remember();
  bool same_log = before.frames > 0 && before.salt == known_.salt && before.frames <= known_.frames;
  return !same_log || holds(before);
}

bool SqliteLiveLog::sound(const std::string& path) {
  Head now;
  for (int i = 0;; i++) {
    if (!read_index(now)) return true;  // another program writes: the next look tells
    if (holds(now)) break;
    Head again;
    if (i + 1 >= kTries || !read_index(again) || again == now) return false;
  }
  // It was written to, but nothing was committed since: either only its times have changed, or what stands in its middle has.
  if (now == known_ && !whole(path)) return false;
  known_ = now;
  return true;
}

bool SqliteLiveLog::whole(const std::string& path) {
  Head now;
  if (!read_index(now) || now.frames == 0) return true;
  WalLog log;
  return WalLog::read(path, log) && log.frames >= now.frames && log.salt == now.salt;
}

}  // namespace pua
