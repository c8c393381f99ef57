// SPDX-License-Identifier: Apache-2.0
#include "config/schema.h"

#include "config/keys.h"

namespace weir::config {

std::vector<KeyInfo> schema() {
  Catalog catalog;
  config_section()->describe(catalog, Config());
  return catalog.take();
}

}  // namespace weir::config
