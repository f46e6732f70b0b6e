// Write-ahead logs read from outside: what counts in one, which of our transactions it holds, and whether it belongs to a file.
#include "store/sqlite_wal.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/store/fixture.h"
#include "tests/store/wal_image.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

const std::string kA = "00000000000000aa", kB = "00000000000000bb", kC = "00000000000000cc";
// Line <n> of a mark; 77.4: how the pages are laid out.
std::string line(const std::string& mark, int n, const std::string& rest = " 77.4") {
  return mark + " " + std::to_string(n) + rest;
}

}  // namespace

TEST_GROUP(sqlite_wal) {
  TempDir dir;
  WalLog log;
  bool read(const WalImage& w, uint64_t folded = 0) {
    w.save(dir.file("wal"));
    return WalLog::read(dir.file("wal"), log, folded);
  }
  std::string runs() {
    std::string out;
    for (const WalLog::Run& r : log.runs)
      out += (out.empty() ? "" : ", ") + std::to_string(r.page) + ": " + r.from.text().substr(14) + "-" + std::to_string(r.to);
    return out;
  }
};

TEST(sqlite_wal, a_line_is_written_and_read) {
  for (const std::string& text : {line(kA, 7, ""), line(kA, 7), line(kA, 1, " 4294967295.0 after -"),
                                  line(kB, 1) + " after " + line(kA, 7, "") + " after -"}) {
    auto l = WritesLine::of(text);
    CHECK_TEXT(l.has_value(), text.c_str());
    STRCMP_EQUAL(text.c_str(), l->text().c_str());
  }
  for (const std::string& text :
       std::vector<std::string>{"", "7", kA, kA + " ", kA + " x", "aa 7", line(kA, 7, " "), line(kA, 7, " 77"), line(kA, 7, " 77."),
                                line(kA, 7, " 77.4 "), line(kA, 7, " 77.4 after "), line(kA, 7, " 77.4 after x"),
                                line(kA, 7, " after -"), line(kA, 7, " 99999999999.4"), kA + " 99999999999999999999999"})
    CHECK_TEXT(!WritesLine::of(text), text.c_str());
}

TEST(sqlite_wal, what_a_line_may_follow) {
  auto follows = [](const std::string& l, const std::string& before) {
    std::optional<WriteCount> c;
    if (!before.empty()) c = WritesLine::of(before)->at;
    return WritesLine::of(l)->may_follow(c);
  };
  CHECK_TRUE(follows(line(kA, 7), line(kA, 6)));
  CHECK_FALSE(follows(line(kA, 7), line(kA, 7)));
  CHECK_FALSE(follows(line(kA, 7), line(kB, 6)));
  CHECK_FALSE(follows(line(kA, 7), ""));
  CHECK_TRUE(follows(line(kB, 1) + " after " + line(kA, 7, ""), line(kA, 7)));
  CHECK_FALSE(follows(line(kB, 1) + " after " + line(kA, 7, ""), line(kA, 6)));
  CHECK_TRUE(follows(line(kB, 1) + " after -", ""));
  CHECK_TRUE(follows(line(kB, 3) + " after " + line(kA, 7, "") + " after " + line(kB, 2, ""), line(kB, 2)));
  CHECK_FALSE(WritesLine::of(line(kA, 0, ""))->before_known());  // an older program's first one
}

TEST(sqlite_wal, a_page_holds_a_line_or_something_else) {
  Octets p = meta_page(line(kA, 7));
  STRCMP_EQUAL(line(kA, 7).c_str(), line_on_page(p.data(), p.size())->text().c_str());
  p = meta_page(line(kB, 1) + " after " + line(kA, 7, "") + " after " + line(kC, 99, ""));  // longer than a length of one octet
  CHECK_TRUE(line_on_page(p.data(), p.size()).has_value());
  p = meta_page("");
  CHECK_FALSE(line_on_page(p.data(), p.size()).has_value());
  p = meta_page("something else");
  CHECK_FALSE(line_on_page(p.data(), p.size()).has_value());
  p = meta_page(line(kA, 7));
  p[0] = 0x0d;  // a leaf of another kind
  CHECK_FALSE(line_on_page(p.data(), p.size()).has_value());
}

// Whatever stands on a page, nothing beside it is read (as AddressSanitizer would say), and nothing ends.
TEST(sqlite_wal, any_octets_may_stand_on_a_page) {
  const Octets good = meta_page(line(kA, 7));
  for (size_t at = 0; at < good.size(); at++)
    for (unsigned char v : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      Octets p = good;
      p[at] = v;
      line_on_page(p.data(), p.size());
      line_on_page(p.data(), at);
    }
  CHECK_FALSE(line_on_page(good.data(), 0).has_value());
}

TEST(sqlite_wal, what_was_committed_counts_whichever_way_it_is_summed_up) {
  for (bool big : {false, true}) {
    CHECK(read(WalImage(big).write(line(kA, 7)).write(line(kA, 8)).write(line(kB, 1) + " after -", 6)));
    LONGS_EQUAL(6, log.frames);
    LONGS_EQUAL(kPage, log.page_size);
    STRCMP_EQUAL("5: aa 7-8, 6: bb 1-1", runs().c_str());
    LONGS_EQUAL(2, log.first.size());
    STRCMP_EQUAL(line(kB, 1, "").c_str(), log.last()->text().c_str());
  }
}

TEST(sqlite_wal, a_transaction_that_is_not_whole_does_not_count) {
  WalImage w;
  w.write(line(kA, 7)).write(line(kA, 8));
  const Octets whole = w.octets;
  for (size_t cut = 1; cut < kPage + 24; cut += 100) {
    w.octets.assign(whole.begin(), whole.end() - static_cast<ptrdiff_t>(cut));
    CHECK(read(w));
    LONGS_EQUAL(2, log.frames);
    STRCMP_EQUAL("5: aa 7-7", runs().c_str());
  }
  w.octets = whole;
  w.octets[32 + 3 * (kPage + 24) + 500] ^= 1;  // one bit of the last page
  CHECK(read(w));
  STRCMP_EQUAL("5: aa 7-7", runs().c_str());
  w.octets = whole;
  w.octets[32 + 8] ^= 1;  // a salt: frames of a log before this one
  CHECK(read(w));
  LONGS_EQUAL(0, log.frames);
  CHECK(read(WalImage().write(line(kA, 7)).frame(5, meta_page(line(kA, 8)), false)));  // no commit follows
  STRCMP_EQUAL("5: aa 7-7", runs().c_str());
}

TEST(sqlite_wal, no_log_an_empty_one_and_a_torn_head_hold_nothing) {
  CHECK(WalLog::read(dir.file("none"), log));
  LONGS_EQUAL(0, log.frames);
  WalImage w;
  CHECK(read(w));
  LONGS_EQUAL(0, log.frames);
  w.write(line(kA, 7));
  w.octets[9] ^= 1;
  CHECK(read(w));
  LONGS_EQUAL(0, log.frames);
  w.octets.resize(20);
  CHECK(read(w));
  LONGS_EQUAL(0, log.frames);
  CHECK_FALSE(WalLog::read(dir.path(), log));  // a folder: it cannot be read
}

TEST(sqlite_wal, where_a_count_stands_in_it) {
  CHECK(read(WalImage().write(line(kA, 7)).write(line(kA, 8)).write(line(kB, 1) + " after " + line(kA, 8, "")), 4));
  auto at = [this](const std::string& l) { return log.position(WritesLine::of(l)->at); };
  LONGS_EQUAL(-1, at(line(kA, 5)));
  LONGS_EQUAL(0, at(line(kA, 6)));
  LONGS_EQUAL(1, at(line(kA, 7)));
  LONGS_EQUAL(2, at(line(kA, 8)));
  LONGS_EQUAL(3, at(line(kB, 1)));
  LONGS_EQUAL(-1, at(line(kB, 2)));
  STRCMP_EQUAL(line(kA, 8, "").c_str(), log.folded->text().c_str());  // of the first four frames
}

TEST(sqlite_wal, what_it_remembers_has_a_bound) {
  WalImage w;
  for (int i = 0; i < 2000; i++)
    w.frame(5 + static_cast<uint32_t>(i), meta_page(line(kA, i, " " + std::to_string(i) + ".1")), true);
  CHECK(read(w));
  CHECK(log.too_many);
  CHECK(log.runs.size() <= 256 && log.first.size() <= 256 && log.layouts.size() <= 256);
}

// --- whether it belongs to a file ----------------------------------------------------------------

TEST_GROUP(sqlite_wal_fits) {
  TempDir dir;
  // Pages 1 and 5 of a file, and what else a case wants to have there.
  struct File {
    explicit File(const std::string& line, DbLayout layout = {77, 4}) { pages = {{1, first_page(layout)}, {5, meta_page(line)}}; }
    std::map<uint32_t, Octets> pages;
  };
  WalFit fit(const WalImage& w, const File& f) {
    w.save(dir.file("wal"));
    WalLog log;
    CHECK(WalLog::read(dir.file("wal"), log));
    CHECK(log.frames > 0);
    return fits(log, [&f](uint64_t at, void* to, size_t n) {
      auto page = f.pages.find(static_cast<uint32_t>(at / kPage) + 1);
      if (page == f.pages.end() || at % kPage + n > page->second.size()) return false;
      memcpy(to, page->second.data() + at % kPage, n);
      return true;
    });
  }
  const char* text(WalFit f) {
    switch (f) {
      case WalFit::Belongs: return "belongs";
      case WalFit::Unsure: return "unsure";
      case WalFit::Foreign: return "foreign";
      case WalFit::NoDatabase: return "no database";
    }
    return "";
  }
  WalImage counts(int from, int to, const std::string& rest = " 77.4") {
    WalImage w;
    for (int n = from; n <= to; n++) w.write(line(kA, n, rest));
    return w;
  }
};

TEST(sqlite_wal_fits, by_what_the_file_says) {
  const WalImage from_7_to_9 = counts(7, 9),
                 a_new_mark = WalImage().write(line(kB, 1) + " after " + line(kA, 6, "")).write(line(kB, 2));
  struct {
    const char *what, *fits;
    const WalImage& log;
    std::string line;
    DbLayout layout;
  } table[] = {
      {"right before the log: nothing is folded", "belongs", from_7_to_9, line(kA, 6), {77, 4}},
      {"within it: a checkpoint, whole or killed", "belongs", from_7_to_9, line(kA, 8), {77, 4}},
      {"at its end: all is folded", "belongs", from_7_to_9, line(kA, 9), {77, 4}},
      {"an older copy", "foreign", from_7_to_9, line(kA, 5), {77, 4}},
      {"the log is the older one", "foreign", from_7_to_9, line(kA, 10), {77, 4}},
      {"of another life", "foreign", from_7_to_9, line(kC, 8), {77, 4}},
      {"no line there", "unsure", from_7_to_9, "", {77, 4}},
      {"VACUUM: the same line, another cookie", "foreign", from_7_to_9, line(kA, 8), {77, 5}},
      {"a dump: no number of ours", "foreign", from_7_to_9, line(kA, 8), {0, 4}},
      {"of the connection before, which a new one goes on from", "belongs", a_new_mark, line(kA, 6), {77, 4}},
      {"... and an older one of it", "foreign", a_new_mark, line(kA, 5), {77, 4}},
      {"... and the new one", "belongs", a_new_mark, line(kB, 1), {77, 4}},
  };
  for (const auto& c : table) {
    File f(c.line, c.layout);
    STRCMP_EQUAL_TEXT(c.fits, text(fit(c.log, f)), c.what);
  }
}

TEST(sqlite_wal_fits, a_log_of_an_older_program_may_but_need_not_belong) {
  WalImage old;
  old.write(line(kA, 0, "")).write(line(kA, 1, ""));
  STRCMP_EQUAL("unsure", text(fit(old, File(line(kA, 1, ""), {0, 4}))));
  STRCMP_EQUAL("unsure", text(fit(old, File(line(kC, 5, ""), {0, 4}))));  // its first line says nothing of what was before
  STRCMP_EQUAL("foreign", text(fit(WalImage().write(line(kA, 3, "")), File(line(kC, 5, ""), {0, 4}))));
}

TEST(sqlite_wal_fits, another_program_may_have_changed_the_schema) {
  // Within our lines: both cookies are good.
  WalImage within;
  within.write(line(kA, 7)).frame(1, first_page({77, 5}), true).write(line(kA, 8, " 77.5"));
  for (uint32_t cookie : {4u, 5u}) STRCMP_EQUAL("belongs", text(fit(within, File(line(kA, 7), {77, cookie}))));
  STRCMP_EQUAL("foreign", text(fit(within, File(line(kA, 7), {77, 6}))));
  // Before the first one: what was before that is not known.
  WalImage before;
  before.frame(1, first_page({77, 5}), true).write(line(kA, 7, " 77.5"));
  STRCMP_EQUAL("unsure", text(fit(before, File(line(kA, 6), {77, 4}))));
  // No line of ours at all.
  STRCMP_EQUAL("unsure", text(fit(WalImage().frame(1, first_page({77, 5}), true), File(line(kA, 6)))));
}

TEST(sqlite_wal_fits, a_meta_table_that_was_moved_within_the_log) {
  WalImage w;
  w.write(line(kA, 7)).write(line(kA, 8) + " after -", 6);
  File f(line(kA, 6));
  STRCMP_EQUAL("belongs", text(fit(w, f)));
  f.pages[6] = Octets(kPage, 'r');
  STRCMP_EQUAL("belongs", text(fit(w, f)));
  f.pages[6] = meta_page(line(kC, 1));
  STRCMP_EQUAL("foreign", text(fit(w, f)));
}

TEST(sqlite_wal_fits, what_is_no_file_for_it) {
  File f(line(kA, 6));
  f.pages.clear();
  STRCMP_EQUAL("foreign", text(fit(counts(7, 9), f)));  // empty: made a moment ago
  f.pages[1] = Octets(kPage, 'x');
  STRCMP_EQUAL("no database", text(fit(counts(7, 9), f)));
  f.pages[1] = first_page({77, 4});
  put16(f.pages[1].data() + 16, 2 * kPage);  // other pages
  STRCMP_EQUAL("foreign", text(fit(counts(7, 9), f)));
}
