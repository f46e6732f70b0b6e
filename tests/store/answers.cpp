#include "tests/store/answers.h"

#include <fcntl.h>
#include <unistd.h>

#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "store/sqlite_stale_log.h"
#include "store/sqlite_store.h"
#include "store/sqlite_wal.h"
#include "tests/store/fixture.h"

namespace pua::test {

namespace {

std::string octets_of(const std::string& digits) {
  std::string out;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) out += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return out;
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

std::string text(const DbLayout& l) { return std::to_string(l.number) + "." + std::to_string(l.cookie); }

std::string about_log(const std::string& file, const std::string& path) {
  WalLog log;
  if (!WalLog::read(path, log)) return "cannot be read";
  int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  std::ostringstream out;
  out << text(fits(log, [fd](uint64_t at, void* to, size_t n) {
    return pread(fd, to, n, static_cast<off_t>(at)) == static_cast<ssize_t>(n);
  })) << ": " << log.frames << " frames";
  ::close(fd);
  for (const WalLog::Run& r : log.runs) out << ", run " << r.page << ": " << r.from.text() << "-" << r.to;
  for (const WalLog::FirstLine& f : log.first) out << ", first " << f.page << ": " << f.line.text();
  for (const DbLayout& l : log.layouts) out << ", layout " << text(l);
  out << (log.layout_told ? ", layout_told" : "") << (log.layout_open ? ", layout_open" : "") << (log.too_many ? ", too_many" : "");
  return out.str();
}

std::string about_journal(const std::string& file) {
  TestLog log;
  SqliteOptions o;
  o.path = file;
  auto store = SqliteStore::open(o, log.log);
  if (!store) return store.error().message;
  Caller caller(**store);
  caller.load_all();
  caller.work();
  return std::to_string((*store)->journal()) + " lines left";
}

std::string answer_to(const std::vector<std::string>& q) {
  auto is = [&q](const char* what, size_t words) { return q[0] == what && q.size() == words; };
  if (is("line", 2)) {
    auto line = WritesLine::of(octets_of(q[1]));
    return line ? line->text() : "none";
  }
  if (is("log", 3)) return about_log(q[1], q[2]);
  if (is("note", 2)) return SqliteNote::now(q[1]).text();
  if (is("untouched", 3)) return SqliteNote::of(q[2]).untouched(q[1]) ? "yes" : "no";
  if (is("aside", 3)) {
    Result<std::string> said = set_stale_log_aside(q[1], SqliteNote::of(q[2]), LongLooks::Yes);
    return said ? *said : said.error().message;
  }
  if (is("fold", 2)) return about_journal(q[1]);
  return "no such question";
}

}  // namespace

void answer(std::istream& questions, std::ostream& out) {
  for (std::string line; std::getline(questions, line);) {
    std::vector<std::string> words(1);
    for (char c : line) {
      if (c == '\t') words.emplace_back();
      else words.back() += c;
    }
    out << answer_to(words) << std::endl;
  }
}

}  // namespace pua::test
