// SPDX-License-Identifier: Apache-2.0
#include "paced_options.h"

#include <algorithm>

namespace weir::bench {
namespace {

bool parse_group(const std::string& spec, GroupOptions& o) {
  for (size_t at = 0; at < spec.size();) {
    const size_t end = std::min(spec.find(',', at), spec.size());
    const std::string pair = spec.substr(at, end - at);
    at = end + 1;
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) return false;
    const std::string key = pair.substr(0, equals);
    const std::string value = pair.substr(equals + 1);
    if (key == "name")
      o.name = value;
    else if (key == "path")
      o.path = value;
    else if (key == "method")
      o.method = value;
    else if (key == "tenants")
      o.tenants = std::stoul(value);
    else if (key == "functions")
      o.functions = std::stoul(value);
    else if (key == "connections")
      o.connections = std::stoul(value);
    else if (key == "body")
      o.body = std::stoul(value);
    else if (key == "rate")
      o.rate = std::stod(value);
    else if (key == "from")
      o.from = std::stod(value);
    else if (key == "to")
      o.to = std::stod(value);
    else
      return false;
  }
  return o.tenants > 0 && o.functions > 0 && o.rate > 0;
}

}  // namespace

bool parse(int argc, char** argv, Options& o) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    const std::string value = argv[i + 1];
    if (key == "--group") {
      if (!parse_group(value, o.groups.emplace_back())) return false;
    } else if (key == "--port") {
      o.port = std::stoi(value);
    } else if (key == "--seconds") {
      o.seconds = std::stod(value);
    } else if (key == "--timeout") {
      o.timeout_ms = std::stoull(value);
    } else if (key == "--lines") {
      o.lines_ms = std::stoull(value);
    } else {
      return false;
    }
  }
  return o.port != 0 && !o.groups.empty() && argc % 2 == 1;
}

}  // namespace weir::bench
