// puad: the daemon that hosts libpua on its own. Exit status: 0 good, 1 could not start or did not end in good order,
// 2 bad usage or configuration.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "api/policy_settings.h"
#include "base/utf8.h"
#include "config/dump.h"
#include "config/parser.h"
#include "loop/event_log.h"
#include "pua/pua.h"
#include "puad/daemonize.h"
#include "puad/log_output.h"
#include "puad/options.h"
#include "puad/pid_file.h"
#include "puad/server.h"

using namespace pua;

namespace {

constexpr int kGood = 0, kFailed = 1, kBadConfig = 2;
constexpr rlim_t kFiles = 65536;

}  // namespace

// On stderr: what stands in files and on command lines does not steer the terminal.
static void say(const std::string& text) { fprintf(stderr, "puad: %s\n", harmless(text).c_str()); }

// Connections to servers, lookups and control clients take descriptors; the default of 1024 is for shells.
static void raise_file_limit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  rlim_t wanted = limit.rlim_max == RLIM_INFINITY ? kFiles : std::min(limit.rlim_max, kFiles);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// A daemon changes its folder, and reads the file again later.
static std::string absolute(const std::string& path) {
  char resolved[PATH_MAX];
  return realpath(path.c_str(), resolved) != nullptr ? resolved : path;
}

// Starts and serves; the daemon's parent, if there is one, is told how the start went.
static int serve(const Options& options, const std::string& config, const Settings& settings,
                 const std::vector<std::string>& warnings, Daemonize* daemon) {
  bool to_stderr = options.log_to_stderr || (settings.log_to == "stderr" && !options.daemon);
  LogOutput output(to_stderr ? LogOutput::To::Stderr : LogOutput::To::Syslog, settings.syslog_facility);
  Log log(output.sink());
  for (const std::string& w : warnings) log.warning("%s", w.c_str());
  EventLogScope libevent_log(log);
  raise_file_limit();

  auto refuse = [&](const Error& error) {
    log.error("%s", error.message.c_str());
    if (!to_stderr) say(error.message);  // to stderr as well, for whoever starts puad by hand does not read syslog
    if (daemon != nullptr) daemon->not_ready(kFailed);
    return kFailed;
  };
  std::unique_ptr<PidFile> pid_file;
  if (!settings.pid_file.empty()) {
    auto made = PidFile::create(settings.pid_file);
    if (!made) return refuse(made.error());
    pid_file = std::move(*made);
  }
  Daemon server(settings, config, output.sink());
  Status started = server.start();
  if (!started) return refuse(started.error());
  if (daemon != nullptr) daemon->ready(to_stderr);
  return server.run();
}

int main(int argc, char** argv) {
  Options options = parse_options(argc, argv);
  switch (options.action) {
    case Action::Version: printf("puad %s\n", PUA_VERSION_STRING); return kGood;
    case Action::Help: fputs(usage_text(), stdout); return kGood;
    case Action::BadUsage:
      say(options.mistake);
      fputs(usage_text(), stderr);
      return kBadConfig;
    case Action::Run:
    case Action::Check:
    case Action::DumpConfig: break;
  }
  std::vector<std::string> warnings;
  ConfigPlaces places;
  auto settings = load_config(options.config, warnings, &places);
  if (!settings) {
    say(settings.error().message);
    return kBadConfig;
  }
  if (Status fit = check_settings(*settings); !fit && options.action != Action::DumpConfig) {
    say(with_place(places, options.config, fit.error().message));
    return kBadConfig;
  }
  if (options.action != Action::Run) {
    for (const std::string& w : warnings) say("warning: " + w);
    if (options.action == Action::Check) {
      printf("%s: ok\n", options.config.c_str());
    } else {
      fputs(dump_config(*settings).c_str(), stdout);
    }
    return kGood;
  }
  std::string config = absolute(options.config);
  std::optional<Daemonize> daemon;
  if (options.daemon) {
    daemon.emplace();
    if (daemon->failed()) {
      perror("puad: cannot become a daemon");
      daemon->not_ready(kFailed);
      return kFailed;
    }
  }
  return serve(options, config, *settings, warnings, daemon ? &*daemon : nullptr);
}
