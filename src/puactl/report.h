// Report: what goes wrong, on stderr: a line for people, with --json an object on a line.
#pragma once

#include <string>

#include "puactl/json.h"

namespace puactl {

class Report {
 public:
  explicit Report(bool json) : json_(json) {}
  // Something to be known; nothing has failed. {"note": TEXT}
  void note(const std::string& text) const;
  // Returns the exit status. {"error": {"message": TEXT}, "exit": STATUS}
  int failure(int status, const std::string& text) const;
  // The error of a reply: kError. {"error": {"code": ..., "message": ..., "data": ...}, "exit": 1}
  int failure(const json_t* error) const;

 private:
  bool json_;
};

}  // namespace puactl
