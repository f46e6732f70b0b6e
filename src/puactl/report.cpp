#include "puactl/report.h"

#include <cstdio>

#include "puactl/exit_status.h"
#include "puactl/print.h"
#include "puactl/text.h"

namespace puactl {

static Json text_of(const std::string& text) {
  Json json = json_text(text);
  return json ? std::move(json) : json_text(printable(text));   // a file name may be anything
}

static void say(const std::string& line) { fprintf(stderr, "%s\n", line.c_str()); }

static void say_error(Json error, int status) {
  Json all(json_pack("{s:o, s:i}", "error", error.release(), "exit", status));
  say(json_line(all.get()));
}

void Report::note(const std::string& text) const {
  if (!json_) return say("puactl: " + printable(text));
  Json all(json_pack("{s:o}", "note", text_of(text).release()));
  say(json_line(all.get()));
}

int Report::failure(int status, const std::string& text) const {
  if (json_) say_error(Json(json_pack("{s:o}", "message", text_of(text).release())), status);
  else say("puactl: " + printable(text));
  return status;
}

int Report::failure(const json_t* error) const {
  if (json_) say_error(Json(json_deep_copy(error)), kError);
  else say("puactl: " + error_line(error));
  return kError;
}

}  // namespace puactl
