// FifoReplies: writes replies into the reply FIFOs of clients, below one folder, without ever waiting in the loop.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "control/context.h"
#include "control/undelivered.h"

struct event;
struct event_base;

namespace pua {

// Why a reply cannot be written: an errno, or a text where that is 0. Neither: it was written, or nobody is to be told.
struct FifoFailure {
  int error = 0;
  const char* text = "";
};

class FifoReplies {
 public:
  // folder: must exist. Error (bad_config): it does not, or is no folder.
  static Result<std::shared_ptr<FifoReplies>> open(event_base*, const std::string& folder, ControlCounters&, Log&);
  ~FifoReplies();  // what is not written by now is dropped
  FifoReplies(const FifoReplies&) = delete;
  FifoReplies& operator=(const FifoReplies&) = delete;

  // A plain file name: letters, digits, '-', '_' and single dots, not leading; no way out of the folder.
  static bool name_allowed(std::string_view name);

  // Writes text and a line end to the FIFO of that name, which the client has made and reads. A client that does not
  // read yet is waited for up to 1 s, a slow one up to 5 s, by events; then, or if the file is no FIFO, has other
  // links, or is not there, or too many clients are slow already, the reply is dropped, counted and logged (undelivered.h).
  void send(std::string_view name, std::string&& text);

 private:
  struct Pending {
    FifoReplies* owner = nullptr;
    std::list<Pending>::iterator self;
    std::string name, text;
    size_t written = 0;
    int fd = -1;
    int tries = 0;  // to open it
    event* waiting = nullptr;
  };
  FifoReplies(event_base* base, int folder, std::string folder_name, ControlCounters& counters, Log& log)
      : base_(base), folder_(folder), folder_name_(std::move(folder_name)), counters_(counters), undelivered_(log) {}
  static void on_event(int fd, short what, void* pending);
  void advance(Pending&);
  int open_fifo(const std::string& name, FifoFailure& why) const;
  void wait(Pending&, int fd, short what, int timeout_ms);
  void lost(const std::string& name, FifoFailure);
  void end(Pending&, bool sent, FifoFailure why = {});

  event_base* base_;
  int folder_;
  std::string folder_name_;
  ControlCounters& counters_;
  UndeliveredLog undelivered_;
  std::list<Pending> pending_;
};

}  // namespace pua
