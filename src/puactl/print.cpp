#include "puactl/print.h"

#include <algorithm>

#include "puactl/text.h"

namespace puactl {

static const json_t* get(const json_t* object, const char* name) { return json_object_get(object, name); }

// A value in one cell or line.
static std::string plain(const json_t* value) {
  if (json_is_string(value)) return printable(json_string_value(value));
  if (json_is_true(value)) return "yes";
  if (json_is_false(value)) return "no";
  if (value == nullptr || json_is_null(value)) return "-";
  if (json_is_array(value)) {
    std::string text;
    for (size_t i = 0; i < json_array_size(value); i++) text += (i == 0 ? "" : ", ") + plain(json_array_get(value, i));
    return text.empty() ? "none" : text;
  }
  return printable(json_line(value));
}

static int64_t number(const json_t* object, const char* name) { return json_integer_value(get(object, name)); }

static std::string dash(std::string text) { return text.empty() ? "-" : text; }

// Until the wanted end: -1 is for ever.
static std::string wanted(const json_t* record) {
  if (json_is_true(get(record, "removing"))) return "removing";
  int64_t s = number(record, "wanted_in");
  return s < 0 ? "forever" : duration(s);
}

static std::string granted(const json_t* record) {
  int64_t s = number(record, "expires_in");
  return s <= 0 ? "-" : duration(s);
}

static std::string next(const json_t* record) {
  int64_t ms = number(record, "next_in_ms");
  return ms < 0 ? "-" : duration((ms + 999) / 1000);
}

static std::string records(const json_t* result, bool more) {
  const json_t* all = get(result, "records");
  if (json_array_size(all) == 0) return "no records\n";
  Table table({{"PRESENTITY"},
               {"EVENT"},
               {"STATE"},
               {"GRANTED", true},
               {"WANTED", true},
               {"NEXT", true},
               {"CSEQ", true},
               {"LAST", true},
               {"TRIES", true},
               {"STORED"},
               {"ETAG"}});
  for (size_t i = 0; i < json_array_size(all); i++) {
    const json_t* r = json_array_get(all, i);
    std::string uri = plain(get(r, "presentity_uri"));
    if (const json_t* id = get(r, "pres_id")) uri += " " + plain(id);
    int64_t last = number(r, "last_status");
    table.row({uri, plain(get(r, "event")), plain(get(r, "state")), granted(r), wanted(r), next(r),
               plain(get(r, "cseq")), last == 0 ? "-" : std::to_string(last), plain(get(r, "attempts")),
               plain(get(r, "stored")), dash(plain(get(r, "etag")))});
  }
  std::string text = table.text();
  if (more) text += "... and more: --limit, --all\n";
  return text;
}

static std::string details(const json_t* result) {
  std::string text;
  const json_t* all = get(result, "records");
  for (size_t i = 0; i < json_array_size(all); i++) {
    if (i > 0) text += '\n';
    const json_t* r = json_array_get(all, i);
    Table table({{""}, {""}});
    const char* name;
    json_t* value;
    std::string body;
    json_object_foreach(const_cast<json_t*>(r), name, value) {
      std::string key = name;
      if (key == "body") {
        body = printable(json_string_value(value), true);
      } else if (key == "expires_in") {
        table.row({"granted", granted(r)});
      } else if (key == "wanted_in") {
        table.row({"wanted", wanted(r)});
      } else if (key == "next_in_ms") {
        table.row({"next", next(r)});
      } else if (key == "extra_headers") {
        std::string lines = printable(json_string_value(value), true);
        while (!lines.empty() && lines.back() == '\n') lines.pop_back();
        std::replace(lines.begin(), lines.end(), '\n', '|');
        table.row({"extra_headers", lines});
      } else {
        table.row({key, dash(plain(value))});
      }
    }
    text += table.text();
    if (!body.empty()) text += "\n" + body + (body.back() == '\n' ? "" : "\n");
  }
  if (json_is_true(get(result, "truncated"))) text += "... and more records than one answer holds\n";
  return text;
}

static std::string fields(const json_t* result, bool numbers) {
  if (!json_is_object(result)) return plain(result) + "\n";
  Table table({{""}, {"", numbers}});
  const char* name;
  json_t* value;
  json_object_foreach(const_cast<json_t*>(result), name, value) table.row({printable(name), plain(value)});
  return table.text();
}

std::string for_people(Show show, const json_t* result, bool more) {
  switch (show) {
    case Show::Records: return records(result, more);
    case Show::Details: return details(result);
    case Show::Counters: return fields(result, true);
    case Show::Names: {
      std::string text;
      for (size_t i = 0; i < json_array_size(result); i++) text += plain(json_array_get(result, i)) + "\n";
      return text;
    }
    case Show::Reply:
    case Show::Fields:
    case Show::Raw: break;
  }
  return fields(result, false);
}

std::string error_line(const json_t* error) {
  std::string text = std::to_string(json_integer_value(get(error, "code")));
  text += " " + plain(get(error, "message"));
  if (const json_t* data = get(error, "data")) text += " (" + plain(data) + ")";
  return text;
}

}  // namespace puactl
