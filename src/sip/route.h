// Route sets: which of them is the next hop, and what a strict router wants. Pure text work (RFC 3261 section 12.2.1.1).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pua {

struct RoutedRequest {
  std::string uri;     // Request-URI
  std::string routes;  // value of the Route header field, empty: none
  std::string hop;     // URI to go to: the first route without parameters that do not matter on the way there
};

// The elements of a route set: "<sip:a;lr>, <sip:b;lr>;x=y". Commas in brackets and quotes do not count.
std::vector<std::string_view> split_routes(std::string_view route_set);

// The URI of an element: what stands between its angle brackets, "" where there are none.
std::string_view route_uri(std::string_view element);

// Loose routing: the target stays the Request-URI, all routes go out, the first is the next hop. A first route without "lr"
// is a strict router: it becomes the Request-URI, the other routes go out and the target behind them.
// Errors: bad_uri (the first route cannot be read).
Status follow_routes(std::string_view target, std::string_view route_set, RoutedRequest& out);

}  // namespace pua
