#include "tests/store/answers.h"

#include <fcntl.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/store_port.h"
#include "core/validate.h"
#include "store/columns.h"
#include "store/db_url.h"
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

std::string about_url(const std::string& text) {
  Result<DbUrl> url = parse_db_url(text);
  if (!url) return "refused";
  if (url->kind == DbKind::Memory) return "memory";
  if (url->kind == DbKind::Sqlite) return "sqlite " + url->path;
  std::string out = "mysql user " + url->user + " password " + url->password + " database " + url->database;
  for (const DbHost& h : url->hosts) out += " host " + h.name + " " + std::to_string(h.port);
  return out;
}

std::string numbers() {
  std::ostringstream out;
  out << "schema " << kSchemaVersion << " id " << kMaxRowId << " uri " << kMaxUri << " token " << kMaxToken << " routes " << kMaxRoutes;
  return out.str();
}

// What "hold" has opened.
std::unique_ptr<SqliteStore> held;

std::string hold(const std::string& file) {
  TestLog log;
  SqliteOptions o;
  o.path = file;
  held.reset();
  auto store = SqliteStore::open(o, log.log);
  if (!store) return store.error().message;
  held = std::move(*store);
  return "held";
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
  if (is("hold", 2)) return hold(q[1]);
  if (is("url", 2)) return about_url(octets_of(q[1]));
  if (is("table", 2)) return check_table_name(q[1]).ok() ? "yes" : "no";
  if (is("numbers", 1)) return numbers();
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
  held.reset();
}

}  // namespace pua::test
