// The event packages: name, flag, content type and body processor of each; the bodies port of the core.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/bodies_port.h"
#include "events/xml_reader.h"

namespace pua {

class Registry : public BodiesPort {
 public:
  // Same contract as BodiesPort::process; content_type in the request is never empty unless the package has no default.
  using Processor = std::function<Result<Unit>(const BodyRequest&, std::string& out, bool& unchanged, std::string& tuple)>;

  Registry();  // with the built-in packages
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // flag: one bit. name: as on the wire. content_type: default of the package, empty: callers name one.
  // processor: may be empty, bodies then go as they are.
  // A name that is known is accepted and changes nothing, as documented for add_event.
  // Errors: bad_argument (flag is not one bit, name is no token, content type is not type/subtype, flag belongs to another
  // name).
  Status add(int32_t flag, std::string_view name, std::string_view content_type, Processor processor = {});

  const EventInfo* by_flag(int32_t flag) const override;
  // Case-insensitive; "presence;winfo" is taken for "presence.winfo".
  const EventInfo* by_name(std::string_view name) const override;
  // Errors: unknown_event; bad_body, too_large and whatever the package's processor says.
  Result<Unit> process(const BodyRequest&, std::string& out, bool& unchanged, std::string& tuple) override;
  // In the order of the bits, without parameters: "dialog" stands for "dialog;sla" too.
  std::string_view allow_events() const override { return allow_events_; }
  // False for events that are not registered, for resource lists (RFC 4662), and for an empty content type unless the
  // package takes any.
  bool accepts(int32_t event, std::string_view content_type) const override;
  // The content type alone decides what is looked at: see events/inspect.h.
  Result<DocumentState> inspect(int32_t event, std::string_view content_type, std::string_view body) override;

 private:
  void list_names();

  struct Package {
    std::string name, content_type;
    EventInfo info;       // views of the two strings; accept: the content type without its parameters
    Processor processor;
  };
  std::array<std::unique_ptr<Package>, 31> packages_;  // by bit number
  std::string allow_events_;
  XmlReader reader_;
};

}  // namespace pua
