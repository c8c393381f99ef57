// SPDX-License-Identifier: Apache-2.0
// Whom a request belongs to and which limits count it, in words: the second half of `weir explain`.
// It compiles the limits as a worker has them, with tables that nobody uses. Prints to standard
// output; any thread.
#pragma once

#include <weir/message.h>

#include <optional>
#include <string>

#include "app/compile.h"
#include "app/options.h"

namespace weir::app {

/// Where a request comes from, as the command line says.
struct Sender {
  std::optional<IpAddress> address;  ///< nullopt: a stranger.
  bool trusted = false;
  const ListenerConfig* listener = nullptr;
};

/// The client behind the sender, as limits count it.
IpAddress client_of(const Sender& sender, const Config& config, const RequestHead& head);

/// nullopt, and a line on standard error, if the options name what does not exist.
std::optional<Sender> find_sender(const Options& options, const Config& config);

/// Nothing if the config has neither identity nor limits. `head` has taken `route`.
void print_owner(Compiled& compiled, const Sender& sender, const RequestHead& head,
                 const route::Route& route);

}  // namespace weir::app
