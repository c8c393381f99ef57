// SPDX-License-Identifier: Apache-2.0
//
// The command line of paced.cc. Values, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::bench {

constexpr unsigned kHardLimit = 600;  // seconds, whatever happens

struct GroupOptions {
  std::string name = "all";
  size_t tenants = 1;
  double rate = 100;
  std::string path = "/";
  std::string method = "GET";
  size_t body = 0;
  size_t functions = 1;
  double from = 0;
  double to = 1e9;
  size_t connections = 512;
};

struct Options {
  int port = 0;
  double seconds = 10;
  uint64_t timeout_ms = 5000;
  uint64_t lines_ms = 0;
  std::vector<GroupOptions> groups;
};

// False: not understood.
bool parse(int argc, char** argv, Options& options);

}  // namespace weir::bench
