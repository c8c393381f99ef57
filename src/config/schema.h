// SPDX-License-Identifier: Apache-2.0
// The list of all keys, generated from the tables that the parser runs on: a test holds
// conf/reference.yaml, the README and the structs to it. Not a JSON schema.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

// What a value may be: "duration", "one of edge, sidecar", "section", and how it is written.
struct TypeInfo {
  std::string name;
  std::string unit;  // "ms, s, m, h"; empty when there is none
};

struct KeyInfo {
  std::string path;  // "listeners.<name>.http1.keepalive_timeout", "routes[].name"
  std::string name;  // the last part
  TypeInfo type;
  std::string default_text;  // on one line, as YAML; empty when required or unset
  std::string sentence;
  bool required = false;
};

// In the order of conf/reference.yaml: sections before their keys.
std::vector<KeyInfo> schema();

// Collects keys while codecs describe themselves. Lives for one call of schema().
class Catalog {
 public:
  // Adds a key at the current path.
  void add(KeyInfo info) {
    info.path = path;
    keys_.push_back(std::move(info));
  }
  std::vector<KeyInfo> take() { return std::move(keys_); }

  // The path of what is being described; codecs append to it and restore it.
  std::string path;

 private:
  std::vector<KeyInfo> keys_;
};

}  // namespace weir::config
