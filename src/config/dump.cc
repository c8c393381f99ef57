// SPDX-License-Identifier: Apache-2.0
#include "config/dump.h"

#include "config/keys.h"

namespace weir::config {

std::string dump(const Config& config, DumpFormat format, Secrets secrets) {
  Emitter emitter(format == DumpFormat::kYaml ? Style::kYaml : Style::kJson, secrets);
  config_section()->write(emitter, config);
  return emitter.take();
}

}  // namespace weir::config
