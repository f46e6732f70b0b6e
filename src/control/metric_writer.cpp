#include "control/metric_writer.h"

#include <cstdio>

namespace pua {

namespace {

// quotes: also of a label's value, which stands in them.
void add_escaped(std::string& out, std::string_view text, bool quotes) {
  for (char c : text) {
    if (c == '\\') out += "\\\\";
    else if (c == '\n') out += "\\n";
    else if (c == '"' && quotes) out += "\\\"";
    else out += c;
  }
}

}  // namespace

std::string seconds_text(int64_t us) {
  char text[32];
  snprintf(text, sizeof text, "%lld.%06lld", static_cast<long long>(us / 1000000), static_cast<long long>(us % 1000000));
  std::string out(text);
  out.erase(out.find_last_not_of('0') + 1);
  if (out.back() == '.') out.pop_back();
  return out;
}

MetricWriter::MetricWriter(std::string& out, std::string_view family, std::string_view type, std::string_view help)
    : out_(out), family_(family) {
  out_.append("# HELP ").append(family).append(" ");
  add_escaped(out_, help, false);
  out_.append("\n# TYPE ").append(family).append(" ").append(type).append("\n");
}

void MetricWriter::line(std::string_view suffix, Labels labels, std::string_view le, std::string_view value) {
  out_.append(family_).append(suffix);
  char before = '{';
  auto label = [&](std::string_view name, std::string_view text) {
    out_ += before;
    out_.append(name).append("=\"");
    add_escaped(out_, text, true);
    out_ += '"';
    before = ',';
  };
  for (auto& [name, text] : labels) label(name, text);
  if (!le.empty()) label("le", le);
  if (before == ',') out_ += '}';
  out_.append(" ").append(value).append("\n");
}

void MetricWriter::add(int64_t value, Labels labels) { line("", labels, "", std::to_string(value)); }

void MetricWriter::add_seconds(int64_t us, Labels labels) { line("", labels, "", seconds_text(us)); }

void MetricWriter::add_histogram(const Histogram& h, Labels labels) {
  uint64_t below = 0;  // buckets of the format hold all that is shorter, too
  for (size_t i = 0; i < h.bounds().size(); i++) {
    below += h.in_bucket(i);
    line("_bucket", labels, seconds_text(h.bounds()[i]), std::to_string(below));
  }
  line("_bucket", labels, "+Inf", std::to_string(h.count()));
  line("_sum", labels, "", seconds_text(h.sum_us()));
  line("_count", labels, "", std::to_string(h.count()));
}

}  // namespace pua
