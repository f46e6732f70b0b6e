#include "store/sqlite_wal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <utility>

namespace pua {

namespace {

constexpr size_t kHead = 32, kFrameHead = 24, kFileHead = 100;
constexpr uint32_t kMagic = 0x377f0682, kVersion = 3007000;  // the last bit of the first says how words are summed up
constexpr size_t kMost = 256;                                // runs, pages, layouts: more than a log of ours ever has
constexpr std::string_view kName = "writes";

uint32_t be16(const unsigned char* p) { return uint32_t{p[0]} << 8 | p[1]; }
uint32_t be32(const unsigned char* p) { return be16(p) << 16 | be16(p + 2); }

struct Sum {
  uint32_t a = 0, b = 0;
  bool big = false;
  void add(const unsigned char* p, size_t n) {
    for (size_t i = 0; i + 8 <= n; i += 8) {
      a += word(p + i) + b;
      b += word(p + i + 4) + a;
    }
  }
  uint32_t word(const unsigned char* p) const {
    if (big) return be32(p);
    return uint32_t{p[3]} << 24 | uint32_t{p[2]} << 16 | uint32_t{p[1]} << 8 | p[0];
  }
  bool is(const unsigned char* p) const { return be32(p) == a && be32(p + 4) == b; }
};

bool page_size_of(uint32_t n, uint32_t& out) {
  out = n == 1 ? 65536 : n;
  return out >= 512 && out <= 65536 && (out & (out - 1)) == 0;
}

// A number of SQLite's with 1 to 9 octets. 0: it does not end within the page.
size_t varint(const unsigned char* p, const unsigned char* end, uint64_t& v) {
  v = 0;
  for (size_t i = 0; i < 9 && p + i < end; i++) {
    if (i == 8) {
      v = v << 8 | p[i];
      return 9;
    }
    v = v << 7 | (p[i] & 0x7f);
    if (!(p[i] & 0x80)) return i + 1;
  }
  return 0;
}

// The value of a record ('writes', value).
std::optional<std::string_view> value_of(const unsigned char* p, const unsigned char* end) {
  uint64_t payload, head, name, value;
  size_t n = varint(p, end, payload);
  if (n == 0 || payload > static_cast<uint64_t>(end - (p + n))) return {};
  p += n;
  const unsigned char *record = p, *stop = p + payload;
  if (!(n = varint(p, stop, head)) || head > payload) return {};
  p += n;
  if (!(n = varint(p, record + head, name)) || name != 13 + 2 * kName.size()) return {};
  p += n;
  if (!(n = varint(p, record + head, value)) || value < 12 || p + n != record + head) return {};
  p += n;
  uint64_t size = (value - 12) / 2;  // text or octets
  if (kName.size() + size != static_cast<uint64_t>(stop - p) || memcmp(p, kName.data(), kName.size()) != 0) return {};
  return std::string_view(reinterpret_cast<const char*>(p) + kName.size(), size);
}

// Takes what fits from the front.
bool take(std::string_view& s, std::string_view word) {
  if (!s.starts_with(word)) return false;
  s.remove_prefix(word.size());
  return true;
}

template <class N>
bool take_number(std::string_view& s, N& n, int base = 10) {
  auto [end, wrong] = std::from_chars(s.data(), s.data() + s.size(), n, base);
  if (wrong != std::errc() || end == s.data()) return false;
  s.remove_prefix(static_cast<size_t>(end - s.data()));
  return true;
}

bool take_count(std::string_view& s, WriteCount& c) {
  size_t before = s.size();
  return take_number(s, c.mark, 16) && before - s.size() == 16 && take(s, " ") && take_number(s, c.number);
}

}  // namespace

// --- the line ------------------------------------------------------------------------------------

std::string WriteCount::text() const {
  char buf[48];
  snprintf(buf, sizeof buf, "%016llx %llu", static_cast<unsigned long long>(mark), static_cast<unsigned long long>(number));
  return buf;
}

std::string WritesLine::text() const {
  std::string out = at.text();
  if (layout) out += " " + std::to_string(layout->number) + "." + std::to_string(layout->cookie);
  for (const auto& a : after) out += " after " + (a ? a->text() : "-");
  return out;
}

std::optional<WritesLine> WritesLine::of(std::string_view s) {
  WritesLine out;
  if (!take_count(s, out.at)) return {};
  if (s.empty()) return out;
  DbLayout layout;
  if (!take(s, " ") || !take_number(s, layout.number) || !take(s, ".") || !take_number(s, layout.cookie)) return {};
  out.layout = layout;
  while (take(s, " after ")) {
    WriteCount c;
    if (take(s, "-")) out.after.emplace_back();
    else if (take_count(s, c)) out.after.emplace_back(c);
    else return {};
  }
  if (!s.empty()) return {};
  return out;
}

bool WritesLine::may_follow(const std::optional<WriteCount>& c) const {
  if (after.empty()) return c && at.number > 0 && *c == WriteCount{at.mark, at.number - 1};
  return std::find(after.begin(), after.end(), c) != after.end();
}

// A leaf of a table without row ids, as the meta table is: flag, three numbers, and an array of where the cells begin.
std::optional<WritesLine> line_on_page(const unsigned char* page, size_t size) {
  constexpr unsigned char kLeaf = 0x0a;
  if (size < 8 || page[0] != kLeaf) return {};
  size_t cells = be16(page + 3);
  if (8 + 2 * cells > size) return {};
  for (size_t i = 0; i < cells; i++) {
    size_t at = be16(page + 8 + 2 * i);
    if (at >= size) continue;
    if (auto value = value_of(page + at, page + size))
      if (auto line = WritesLine::of(*value)) return line;
  }
  return {};
}

// --- the log -------------------------------------------------------------------------------------

namespace {

// What one transaction brings, until it is known that it was committed.
struct Pending {
  std::vector<std::pair<uint32_t, WritesLine>> lines;
  std::vector<DbLayout> layouts;
  std::optional<WriteCount> folded;
};

void add_line(WalLog& log, uint32_t page, const WritesLine& line) {
  auto same = [page](const auto& f) { return f.page == page; };
  if (std::none_of(log.first.begin(), log.first.end(), same)) {
    if (log.first.size() < kMost) log.first.push_back({page, line});
    else log.too_many = true;
  }
  if (line.layout) log.layout_told = true;
  WalLog::Run* last = log.runs.empty() ? nullptr : &log.runs.back();
  if (last && last->page == page && last->from.mark == line.at.mark &&
      (last->to == line.at.number || last->to + 1 == line.at.number))
    last->to = line.at.number;
  else if (log.runs.size() < kMost) log.runs.push_back({page, line.at, line.at.number});
  else log.too_many = true;
}

void add_layout(WalLog& log, const DbLayout& l) {
  if (std::find(log.layouts.begin(), log.layouts.end(), l) != log.layouts.end()) return;
  if (log.layouts.size() < kMost) log.layouts.push_back(l);
  else log.too_many = true;
}

void commit(WalLog& log, Pending& p) {
  if (log.runs.empty() && p.lines.empty() && !p.layouts.empty()) log.layout_open = true;
  for (const DbLayout& l : p.layouts) add_layout(log, l);
  for (const auto& [page, line] : p.lines) {
    if (line.layout) add_layout(log, *line.layout);
    add_line(log, page, line);
  }
  if (p.folded) log.folded = p.folded;
  p = {};
}

void look_at_page(Pending& p, uint32_t number, const unsigned char* page, size_t size, bool folded) {
  if (number == 1) p.layouts.push_back({be32(page + 60), be32(page + 40)});
  std::optional<WritesLine> line = number == 1 ? std::nullopt : line_on_page(page, size);
  if (!line) return;
  if (folded) p.folded = line->at;
  if (p.lines.size() < kMost) p.lines.emplace_back(number, std::move(*line));
}

// n octets, or how many there are. -1: they cannot be read.
ssize_t read_all(int fd, unsigned char* to, size_t n, uint64_t at) {
  size_t got = 0;
  while (got < n) {
    ssize_t r = pread(fd, to + got, n - got, static_cast<off_t>(at + got));
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return -1;
    if (r == 0) break;
    got += static_cast<size_t>(r);
  }
  return static_cast<ssize_t>(got);
}

bool read_log(int fd, WalLog& out, uint64_t folded_frames) {
  unsigned char head[kHead];
  ssize_t n = read_all(fd, head, sizeof head, 0);
  if (n < 0) return false;
  Sum sum;
  sum.big = head[3] & 1;
  sum.add(head, 24);
  if (n < static_cast<ssize_t>(kHead) || (be32(head) & ~1u) != kMagic || be32(head + 4) != kVersion || !sum.is(head + 24))
    return true;
  if (!page_size_of(be32(head + 8), out.page_size)) return true;
  std::copy_n(head + 16, 8, out.salt.begin());
  size_t frame = kFrameHead + out.page_size;
  std::vector<unsigned char> room(frame);
  Pending pending;
  for (uint64_t i = 1;; i++) {
    n = read_all(fd, room.data(), frame, kHead + (i - 1) * frame);
    if (n < 0) return false;
    const unsigned char* p = room.data();
    if (n < static_cast<ssize_t>(frame) || be32(p) == 0 || memcmp(p + 8, out.salt.data(), 8) != 0) return true;
    sum.add(p, 8);
    sum.add(p + kFrameHead, out.page_size);
    if (!sum.is(p + 16)) return true;
    look_at_page(pending, be32(p), p + kFrameHead, out.page_size, i <= folded_frames);
    if (be32(p + 4) == 0) continue;
    commit(out, pending);
    out.frames = i;
  }
}

}  // namespace

bool WalLog::read(const std::string& path, WalLog& out, uint64_t folded_frames) {
  out = {};
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT;
  bool done = read_log(fd, out, folded_frames);
  ::close(fd);
  return done;
}

std::optional<WriteCount> WalLog::last() const {
  if (runs.empty()) return {};
  return WriteCount{runs.back().from.mark, runs.back().to};
}

int64_t WalLog::position(const WriteCount& c) const {
  int64_t before = 0, found = -1;
  for (const Run& r : runs) {
    if (r.from.mark == c.mark && r.from.number <= c.number && c.number <= r.to)
      found = before + 1 + static_cast<int64_t>(c.number - r.from.number);
    before += 1 + static_cast<int64_t>(r.to - r.from.number);
  }
  if (found < 0 && !first.empty() && first.front().line.may_follow(c)) return 0;
  return found;
}

// --- whether they belong together ----------------------------------------------------------------

bool layout_of(const ReadAt& file, uint32_t& page_size, DbLayout& layout) {
  unsigned char head[kFileHead];
  if (!file(0, head, sizeof head) || memcmp(head, "SQLite format 3", 16) != 0 || !page_size_of(be16(head + 16), page_size))
    return false;
  layout = {be32(head + 60), be32(head + 40)};
  return true;
}

namespace {

enum class Sign : uint8_t { For, Nothing, Against };

Sign sign_of_layout(const WalLog& log, const DbLayout& layout) {
  if (!log.layout_told || log.too_many) return Sign::Nothing;
  if (std::find(log.layouts.begin(), log.layouts.end(), layout) != log.layouts.end()) return Sign::For;
  return log.layout_open ? Sign::Nothing : Sign::Against;
}

// A page that the log has written lines on: the file has one of them there, or what was there before.
Sign sign_of_page(const WalLog& log, const WalLog::FirstLine& first, const std::optional<WritesLine>& line) {
  std::optional<WriteCount> at;
  if (line) at = line->at;
  if (first.line.may_follow(at)) return Sign::For;
  if (!at) return Sign::Nothing;  // moved here by somebody, or damaged
  for (const WalLog::Run& r : log.runs)
    if (r.page == first.page && r.from.mark == at->mark && r.from.number <= at->number && at->number <= r.to) return Sign::For;
  return first.line.before_known() && !log.too_many ? Sign::Against : Sign::Nothing;
}

}  // namespace

WalFit fits(const WalLog& log, const ReadAt& file) {
  char any;
  if (!file(0, &any, 1)) return WalFit::Foreign;  // nothing was ever written into it
  uint32_t page_size = 0;
  DbLayout layout;
  if (!layout_of(file, page_size, layout)) return WalFit::NoDatabase;
  if (page_size != log.page_size) return WalFit::Foreign;
  Sign laid_out = sign_of_layout(log, layout);
  if (laid_out == Sign::Against) return WalFit::Foreign;
  bool found = false;
  std::vector<unsigned char> page(page_size);
  for (const WalLog::FirstLine& f : log.first) {
    bool there = file(uint64_t{f.page - 1} * page_size, page.data(), page_size);
    Sign s = sign_of_page(log, f, there ? line_on_page(page.data(), page_size) : std::nullopt);
    if (s == Sign::Against) return WalFit::Foreign;
    found = found || s == Sign::For;
  }
  return found && laid_out == Sign::For ? WalFit::Belongs : WalFit::Unsure;
}

}  // namespace pua
