#include "config/parser.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <utility>

#include "base/nearest.h"
#include "config/addresses.h"
#include "config/checks.h"
#include "config/lexer.h"
#include "config/settings_table.h"

namespace pua {

namespace {

// A name from the file as messages show it: short, and only printable.
std::string shown_name(std::string_view v) {
  std::string out = "\"";
  for (char c : v.substr(0, 40)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out + (v.size() > 40 ? "...\"" : "\"");
}

class Parser {
 public:
  Parser(std::string_view text, std::string_view filename, std::vector<std::string>& warnings, ConfigPlaces* out)
      : lexer_(text), filename_(filename), warnings_(warnings), out_(out) {}

  Result<Settings> run() {
    for (;;) {
      Token t = lexer_.next();
      if (t.kind == Token::Kind::End) break;
      Status s = t.kind == Token::Kind::Error ? error(t.place, t.text) : statement(t);
      if (!s) return s.error();
    }
    if (Status s = cross_checks(); !s) return s.error();
    return std::move(settings_);
  }

 private:
  std::string where(Place p) const {
    return filename_ + ":" + std::to_string(p.line) + ":" + std::to_string(p.column);
  }
  Status error(Place p, const std::string& what) const { return {Errc::bad_config, where(p) + ": " + what}; }

  // Takes the next token, which must be of that kind.
  Status expect(Token::Kind kind, const char* what, Token& t) {
    t = lexer_.next();
    if (t.kind == kind) return success();
    if (t.kind == Token::Kind::Error) return error(t.place, t.text);
    return error(t.place, std::string("expected ") + what + ", found " + token_text(t));
  }

  Status statement(const Token& first) {
    if (first.kind != Token::Kind::Word || first.text != "modparam") {
      return error(first.place,
                   "unexpected " + token_text(first) + ": only modparam(\"module\", \"name\", value) stands in this file");
    }
    Token module, name, value, mark;
    if (Status s = expect(Token::Kind::Open, "'(' after modparam", mark); !s) return s;
    if (Status s = expect(Token::Kind::String, "the module's name in double quotes", module); !s) return s;
    if (Status s = check_module(module); !s) return s;
    if (Status s = expect(Token::Kind::Comma, "',' after the module's name", mark); !s) return s;
    if (Status s = expect(Token::Kind::String, "the parameter's name in double quotes", name); !s) return s;
    const Param* p = find_param(module.literal.text, name.literal.text);
    if (!p) return unknown_name(module.literal.text, name);
    if (Status s = expect(Token::Kind::Comma, "',' after the parameter's name", mark); !s) return s;
    value = lexer_.next();
    if (value.kind == Token::Kind::Error) return error(value.place, value.text);
    if (value.kind != Token::Kind::Number && value.kind != Token::Kind::String) {
      return error(value.place, "expected a value, an integer or a string in double quotes, found " + token_text(value));
    }
    if (Status s = take(*p, name, value); !s) return s;
    return expect(Token::Kind::Close, "')' after the value", mark);
  }

  Status check_module(const Token& t) const {
    if (known_module(t.literal.text)) return success();
    Nearest near(t.literal.text);
    for (const Param& p : settings_table()) near.offer(p.module);
    std::string what = "unknown module " + shown_name(t.literal.text);
    what += near.suggestion();
    return error(t.place, what);
  }

  Status unknown_name(const std::string& module, const Token& t) const {
    std::string what = "module \"" + module + "\" has no parameter " + shown_name(t.literal.text);
    Nearest near(t.literal.text);
    for (const Param& p : settings_table()) {
      if (p.name == t.literal.text) return error(t.place, what + " (it belongs to module \"" + std::string(p.module) + "\")");
      if (p.module == module) near.offer(p.name);
    }
    what += near.suggestion();
    return error(t.place, what);
  }

  Status take(const Param& p, const Token& name, const Token& value) {
    auto [it, first] = places_.try_emplace(&p, value.place);
    // Of several values, a fault does not say which one it means.
    if (out_ && first) (*out_)[std::string(p.name)] = where(value.place);
    if (out_ && !first) out_->erase(std::string(p.name));
    if (!first && p.type != ParamType::List) {
      return error(name.place, "parameter \"" + std::string(p.name) + "\" is already set at " + where(it->second));
    }
    Status s = assign(settings_, p, value.literal);
    return s ? std::move(s) : error(value.place, s.error().message);
  }

  // Where a parameter was set; nullptr: it has its default.
  const Place* place_of(const char* name) const {
    for (const char* module : {"pua", "pua_mi"})
      if (auto it = places_.find(find_param(module, name)); it != places_.end()) return &it->second;
    return nullptr;
  }

  Status cross_checks() {
    const Place *min_at = place_of("min_expires"), *default_at = place_of("default_expires");
    if (auto fault = fit_lifetimes(settings_, min_at != nullptr, default_at != nullptr)) {
      const Place* at = place_of(fault->name);
      if (!at) at = min_at;
      return error(at ? *at : Place{}, fault->what);
    }
    if (auto fault = fit_addresses(settings_)) {
      const Place* at = place_of(fault->name);
      return error(at ? *at : Place{}, fault->what);
    }
    if (!settings_.cluster_sharing_tag.empty() && settings_.cluster_id == 0) {
      warnings_.push_back(where(*place_of("cluster_sharing_tag")) + ": cluster_sharing_tag has no effect without cluster_id");
    }
    return success();
  }

  Lexer lexer_;
  std::string filename_;
  std::vector<std::string>& warnings_;
  ConfigPlaces* out_;   // may be nullptr
  Settings settings_;
  std::map<const Param*, Place> places_;  // where each was set first
};

struct Fd {
  int fd;
  ~Fd() {
    if (fd >= 0) close(fd);
  }
};

}  // namespace

Result<Settings> parse_config(std::string_view text, std::string_view filename, std::vector<std::string>& warnings,
                              ConfigPlaces* places) {
  if (text.size() > kMaxConfigSize) {
    return {Errc::bad_config, std::string(filename) + ": longer than " + std::to_string(kMaxConfigSize) + " octets"};
  }
  return Parser(text, filename, warnings, places).run();
}

std::string with_place(const ConfigPlaces& places, const std::string& filename, const std::string& fault) {
  constexpr const char* kName = "abcdefghijklmnopqrstuvwxyz0123456789_";
  for (size_t begin = 0; (begin = fault.find_first_of(kName, begin)) != fault.npos;) {
    size_t end = std::min(fault.find_first_not_of(kName, begin), fault.size());
    if (auto at = places.find(fault.substr(begin, end - begin)); at != places.end()) return at->second + ": " + fault;
    begin = end;
  }
  return filename + ": " + fault;
}

Result<Settings> load_config(const std::string& path, std::vector<std::string>& warnings, ConfigPlaces* places) {
  auto failed = [&](const std::string& what) { return Result<Settings>(Errc::bad_config, path + ": " + what); };
  Fd f{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};  // not blocking: it may be a FIFO
  struct stat st;
  if (f.fd < 0 || fstat(f.fd, &st) != 0) return failed(strerror(errno));
  if (!S_ISREG(st.st_mode)) return failed("not a regular file");
  std::string text;
  char buf[16384];
  for (;;) {
    ssize_t n = read(f.fd, buf, sizeof buf);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(strerror(errno));
    if (n == 0) break;
    text.append(buf, static_cast<size_t>(n));
    if (text.size() > kMaxConfigSize) break;  // parse_config says so
  }
  Result<Settings> settings = parse_config(text, path, warnings, places);
  // Readable for the group of the process itself is how a service's own file looks (root:puad, 0640).
  bool for_others = (st.st_mode & 0004) || ((st.st_mode & 0040) && st.st_gid != getegid());
  if (settings && for_others && holds_password(*settings)) {
    char mode[8];
    snprintf(mode, sizeof mode, "%04o", st.st_mode & 07777);
    warnings.push_back(path + ": others can read this file (mode " + mode + "), which holds a password: chmod 640 or 600");
  }
  return settings;
}

}  // namespace pua
