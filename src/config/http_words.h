// SPDX-License-Identifier: Apache-2.0
// Scalar codecs for the words of HTTP that a configuration names: hosts, paths, methods, headers,
// statuses. Canonical on the way in (hosts and header names in lower case), so that the data path
// compares bytes. Refuses what could never match or would break the framing of a message.
#pragma once

#include <weir/config.h>

#include <cstdint>
#include <string>

#include "config/scalars.h"

namespace weir::config {

// "example.com", "*.example.com" or "*".
ScalarPtr<std::string> host_pattern();
// "example.com" or "example.com:8443": what stands in a Host field or a redirect.
ScalarPtr<std::string> host_and_port();
// A name to resolve.
ScalarPtr<std::string> dns_name();
// A name to ask for in a TLS handshake (RFC 6066, 3).
ScalarPtr<std::string> server_name();
// What `Upgrade` and `:protocol` name, or `connect` for the CONNECT method.
ScalarPtr<std::string> upgrade_protocol();
ScalarPtr<std::string> method();
// A path to match or to put in place of a match; begins with a slash.
ScalarPtr<std::string> path();
// A pattern; that it compiles is for route/ to say.
ScalarPtr<std::string> regex();

ScalarPtr<std::string> header_name();
// A name that an operation may touch: not the fields that weir itself writes to frame the message.
ScalarPtr<std::string> editable_header_name();
ScalarPtr<std::string> header_value();

// `header:x-user`, `client_ip`, `path`, or null for at random.
ScalarPtr<HashOn> hash_on();

}  // namespace weir::config
