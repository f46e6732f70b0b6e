#include "puad/options.h"

#include <getopt.h>

namespace pua {

const char* usage_text() {
  return "Usage: puad [-dEF] [-f file] [--check | --dump-config | --version | --help]\n"
         "  -f, --config FILE  configuration file (default " PUA_SYSCONFDIR
         "/pua/pua.conf)\n"
         "  -F, --foreground   stay in the foreground (default)\n"
         "  -d, --daemon       become a daemon; the command ends when the daemon is ready\n"
         "  -E, --stderr       log to stderr, whatever the configuration says\n"
         "      --check        say whether the configuration is right, and end\n"
         "      --dump-config  show all parameters with their values, and end\n"
         "  -V, --version      show the version, and end\n"
         "  -h, --help         this text\n";
}

Options parse_options(int argc, char** argv) {
  enum { kCheck = 256, kDump };
  static const option kLong[] = {{"config", required_argument, nullptr, 'f'},
                                 {"foreground", no_argument, nullptr, 'F'},
                                 {"daemon", no_argument, nullptr, 'd'},
                                 {"stderr", no_argument, nullptr, 'E'},
                                 {"check", no_argument, nullptr, kCheck},
                                 {"dump-config", no_argument, nullptr, kDump},
                                 {"version", no_argument, nullptr, 'V'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {nullptr, 0, nullptr, 0}};
  Options o;
  bool foreground = false;
  opterr = 0;
  for (int c; (c = getopt_long(argc, argv, ":f:FdEVh", kLong, nullptr)) != -1;) {
    switch (c) {
      case 'f': o.config = optarg; break;
      case 'F': foreground = true; break;
      case 'd': o.daemon = true; break;
      case 'E': o.log_to_stderr = true; break;
      case kCheck: o.action = Action::Check; break;
      case kDump: o.action = Action::DumpConfig; break;
      case 'V': o.action = Action::Version; return o;
      case 'h': o.action = Action::Help; return o;
      default:
        o.action = Action::BadUsage;
        o.mistake = std::string(c == ':' ? "option without its value: " : "no such option: ") + argv[optind - 1];
        return o;
    }
  }
  if (optind < argc) {
    o.action = Action::BadUsage;
    o.mistake = std::string("what is this for: ") + argv[optind];
  } else if (foreground && o.daemon) {
    o.action = Action::BadUsage;
    o.mistake = "--foreground and --daemon exclude each other";
  }
  return o;
}

}  // namespace pua
