#include "config/man_page.h"

#include <algorithm>

namespace pua {

std::string_view take_line(std::string_view& text, size_t width) {
  size_t n = text.size();
  if (n > width) {
    n = text.rfind(' ', width);
    if (n == std::string_view::npos) n = std::min(text.find(' '), text.size());
  }
  std::string_view line = text.substr(0, n);
  text.remove_prefix(std::min(n + 1, text.size()));
  return line;
}

std::string mdoc_text(std::string_view text, bool quotes) {
  std::string out;
  for (char c : text) {
    if (c == '\\') out += "\\e";
    else if (c == '"' && quotes) out += "\\(dq";
    else out += c;
  }
  if (!out.empty() && (out[0] == '.' || out[0] == '\'')) out.insert(0, "\\&");
  return out;
}

void add_mdoc(std::string& out, std::string_view text) {
  while (!text.empty()) {
    size_t end = text.find(". ");
    std::string_view sentence = end == std::string_view::npos ? text : text.substr(0, end + 1);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    while (!sentence.empty()) out += mdoc_text(take_line(sentence, 72)) + "\n";
  }
}

Result<std::string> fill_man_page(std::string_view page, std::string_view part, std::string_view text) {
  std::string name(part);
  size_t begin = page.find(".\\\" BEGIN " + name), end = page.find(".\\\" END " + name);
  if (begin != std::string_view::npos) begin = page.find('\n', begin);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) {
    return {Errc::bad_argument, "the page lacks the marker lines BEGIN " + name + " and END " + name};
  }
  return std::string(page.substr(0, begin + 1)).append(text).append(page.substr(end));
}

}  // namespace pua
