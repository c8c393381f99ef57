// SPDX-License-Identifier: Apache-2.0
// Reads a whole file for a load, and no more of it than a configuration may have.
#pragma once

#include <expected>
#include <string>

namespace weir::config {

// Follows links and reads pipes; the error is a sentence. At most one byte more than
// DocumentLimits::max_bytes is read, so that the parser can say that it is too large.
std::expected<std::string, std::string> read_whole_file(const std::string& path);

}  // namespace weir::config
