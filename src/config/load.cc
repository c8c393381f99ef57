// SPDX-License-Identifier: Apache-2.0
#include "config/load.h"

#include "config/file.h"
#include "config/keys.h"
#include "config/validate.h"

namespace weir::config {

namespace {

Config read_config(const Document& document, const ReadContext& context) {
  Config config;
  if (document.is_null(Document::kRoot)) {
    context.diagnostics.error({}, "",
                              {"the file is empty", "conf/examples/minimal.yaml is a start"});
    return config;
  }
  Reader reader(document, context);
  config_section()->read(reader, Document::kRoot, config);
  return config;
}

LoadResult load_source(Diagnostics& diagnostics, const std::string& name,
                       const LoadOptions& options) {
  const FileReader read_file = [&](const std::string& path) {
    const std::string joined = beside(name, path);
    return options.read_file ? options.read_file(joined) : read_whole_file(joined);
  };
  const ReadContext context{diagnostics, options.environment, read_file};
  Config config;
  if (const auto document = Document::parse(diagnostics.source_text(0), 0, diagnostics)) {
    config = read_config(*document, context);
    config.files = diagnostics.source_names();
    if (document->kind(Document::kRoot) == NodeKind::kMap) validate(config, diagnostics);
    for (const Validator& validator : options.validators) validator(config, diagnostics);
  }
  const bool failed = diagnostics.errors() != 0;
  auto findings = diagnostics.take_sorted();
  if (!failed) return Loaded{std::move(config), std::move(findings)};
  // What looks unused beside an error is often just what the broken part uses.
  std::erase_if(findings, [](const auto& d) { return d.severity == Severity::kWarning; });
  return std::unexpected(std::move(findings));
}

}  // namespace

LoadResult load_text(std::string_view text, const std::string& name, const LoadOptions& options) {
  Diagnostics diagnostics;
  diagnostics.add_source(name, std::string(text));
  return load_source(diagnostics, name, options);
}

LoadResult load_file(const std::string& path, const LoadOptions& options) {
  Diagnostics diagnostics;
  auto text = read_whole_file(path);
  if (!text) {
    diagnostics.add_source(path, {});
    diagnostics.error({}, "", {"cannot be read: " + text.error(), ""});
    return std::unexpected(diagnostics.take_sorted());
  }
  diagnostics.add_source(path, std::move(*text));
  return load_source(diagnostics, path, options);
}

}  // namespace weir::config
