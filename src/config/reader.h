// SPDX-License-Identifier: Apache-2.0
// Walks a Document for the codecs: hands out text with variables replaced, knows the path of the
// key that is being read, and turns a mistake into a finding that says what was found, what would
// do and where. Not a parser of values (values.h) and without knowledge of keys (the *_keys.cc
// tables). Lives for one load; one thread.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/document.h"
#include "config/environment.h"

namespace weir::config {

// Reads a file that the configuration names; the error is a sentence.
using FileReader = std::function<std::expected<std::string, std::string>(const std::string& path)>;

// What a load needs from outside; owned by the caller of the load.
struct ReadContext {
  Diagnostics& diagnostics;
  const Environment& environment;
  const FileReader& read_file;
};

class Reader {
 public:
  Reader(const Document& document, const ReadContext& context)
      : document_(document), context_(context) {}

  const Document& document() const { return document_; }
  const ReadContext& context() const { return context_; }

  void error(NodeId at, Finding finding);
  void error_at(const SourceLocation& at, Finding finding);
  void warning(NodeId at, Finding finding);

  // The scalar's text; reports and returns nullopt for maps, lists and nulls.
  std::optional<std::string> text(NodeId id, std::string_view expected);

  // Keys and values of a map in the order of the file. Reports anything that is no map, and keys
  // that come twice (the later one is left out).
  std::vector<std::pair<NodeId, NodeId>> entries(NodeId id, std::string_view expected);
  // Reports anything that is no list.
  std::vector<NodeId> items(NodeId id, std::string_view expected);
  // The value of a key without a word about anything else; kNone when there is none.
  NodeId find(NodeId map, std::string_view key) const;

  std::string path() const;

  // One step down the path while it lives. `name` must outlive it.
  class Step {
   public:
    Step(Reader& reader, std::string_view name) : Step(reader, Part{name, 0}) {}
    Step(Reader& reader, std::size_t index) : Step(reader, Part{{}, index}) {}
    ~Step() { reader_.path_.pop_back(); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    friend class Reader;
    Step(Reader& reader, std::pair<std::string_view, std::size_t> part) : reader_(reader) {
      reader_.path_.push_back(part);
    }
    Reader& reader_;
  };

 private:
  using Part = std::pair<std::string_view, std::size_t>;  // a name, or an index if it is empty

  void report_kind(NodeId id, std::string_view expected);
  void report_repeats(std::vector<std::pair<NodeId, NodeId>>& entries);

  const Document& document_;
  const ReadContext& context_;
  std::vector<Part> path_;
};

// Has `read` read another file that the configuration names at `at`; what it finds names that file,
// under the path of now.
void read_file_of(Reader& reader, NodeId at, const std::string& file,
                  const std::function<void(Reader&)>& read);

// `text` in quotes, cut to what a line can hold.
std::string quoted(std::string_view text);

}  // namespace weir::config
