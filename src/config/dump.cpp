#include "config/dump.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "config/checks.h"
#include "config/man_page.h"
#include "config/settings_table.h"

namespace pua {

namespace {

std::string quote(std::string_view v) {
  std::string out = "\"";
  for (char c : v) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: out += c;
    }
  }
  return out + "\"";
}

// The literals of a parameter's value as the file writes them: one, or one for each value of a list.
std::vector<std::string> literals(const Settings& s, const Param& p, bool hide) {
  struct {
    const Settings& s;
    const Param& p;
    bool hide;
    std::vector<std::string> operator()(int64_t Settings::*f) const {
      if (p.type != ParamType::Mode) return {std::to_string(s.*f)};
      char buf[32];
      snprintf(buf, sizeof buf, "0%llo", static_cast<unsigned long long>(s.*f));
      return {buf};
    }
    std::vector<std::string> operator()(bool Settings::*f) const { return {s.*f ? "1" : "0"}; }
    std::vector<std::string> operator()(std::string Settings::*f) const {
      const std::string& v = s.*f;
      if (hide && p.secret == Secret::UrlPassword) return {quote(hide_url_password(v))};
      if (hide && p.secret == Secret::SipPassword) return {quote(hide_sip_password(v))};
      // A number that begins with 0 would come back as an octal one.
      bool number = p.type == ParamType::Expires && !v.starts_with('0') &&
                    std::all_of(v.begin(), v.end(), [](char c) { return c >= '0' && c <= '9'; });
      return {number ? v : quote(v)};
    }
    std::vector<std::string> operator()(std::vector<std::string> Settings::*f) const {
      std::vector<std::string> out;
      for (const std::string& v : s.*f) out.push_back(quote(v));
      return out;
    }
    std::vector<std::string> operator()(std::vector<Credential> Settings::*f) const {
      std::vector<std::string> out;
      for (const Credential& c : s.*f)
        out.push_back(quote(c.realm + ":" + c.user + ":" + (hide ? std::string(kHiddenPassword) : c.password)));
      return out;
    }
  } show{s, p, hide};
  return std::visit(show, p.field);
}

void add_comment(std::string& out, std::string_view text) {
  while (!text.empty()) out.append("# ").append(take_line(text, 98)).append("\n");
}

// "integer: 1 to 24; default 9; reloadable". hide: whether the password in a default is hidden.
std::string facts(const Param& p, bool hide) {
  std::string out(param_type_text(p));
  if (std::string range = param_range_text(p); !range.empty()) out += ": " + range;
  std::vector<std::string> def = literals(Settings{}, p, hide);
  out += "; default " + (def.empty() || def[0] == "\"\"" ? "none" : def[0]);
  if (p.reloadable) out += "; reloadable";
  return out;
}

}  // namespace

std::string dump_config(const Settings& s) {
  std::string out;
  std::string_view module;
  for (const Param& p : settings_table()) {
    if (p.module != module) {
      module = p.module;
      out.append(out.empty() ? "" : "\n").append("# ---- module ").append(module).append(" ----\n");
    }
    out += "\n";
    add_comment(out, p.help);
    add_comment(out, facts(p, true));
    std::string call = "modparam(\"" + std::string(p.module) + "\", \"" + std::string(p.name) + "\", ";
    std::vector<std::string> values = literals(s, p, true);
    for (const std::string& v : values) out += call + v + ")\n";
    if (values.empty()) out += "# " + call + "...)\n";
  }
  return out;
}

std::string man_parameters() {
  std::string out;
  std::string_view module;
  for (const Param& p : settings_table()) {
    if (p.module != module) {
      if (!module.empty()) out += ".El\n";
      module = p.module;
      out.append(".Ss Module ").append(module).append("\n.Bl -tag -width Ds\n");
    }
    out.append(".It Cm ").append(p.name).append(" Pq ").append(mdoc_text(facts(p, false), true)).append("\n");
    add_mdoc(out, p.help);
  }
  out += ".El\n";
  return out;
}

Result<std::string> fill_man_page(std::string_view page) { return fill_man_page(page, "PARAMETERS", man_parameters()); }

}  // namespace pua
