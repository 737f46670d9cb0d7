#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/dialects/json_text.h"
#include "ssd1b/error.h"

namespace ssd1b {

/// One field of a dialect: what this program calls it, and the names that a client may use.
struct Field {
  std::string id;
  std::vector<std::string> names;
  bool null_is_absent = false;  // else a null is a value, and mostly a wrong one
};

/// The fields of one JSON object of a dialect.
struct FieldNames {
  std::vector<Field> known;
  /// Names that will mean something one day: Error(NotSupported) until then.
  std::vector<std::string> reserved = {};
};

/// Reads the fields of one object and says exactly what is wrong with them. Errors carry the name
/// that the client used as `param`, with the path in front where the object is nested. A field that
/// is absent reads as nullopt; a null is an error unless `is_null` was asked first. Fields are
/// asked for by their id, whatever the client called them.
class FieldReader {
 public:
  /// Throws InvalidValue where `object` is none, UnknownField naming every field that is not in
  /// `names`, DuplicateField for two names of one field, NotSupported. Keeps references to both,
  /// and to the `text` of the whole body, whose numbers its errors show.
  FieldReader(const Json& object, const FieldNames& names, std::string_view text,
              std::string path = "");

  /// Takes in the fields of a nested object, so that one reader has all of a request's.
  void add(const FieldReader& nested);

  bool has(const std::string& field) const { return values_.count(field) != 0; }
  bool is_null(const std::string& field) const;

  /// The name that the client used, with its path; the first of its names where it is absent.
  std::string name(const std::string& field) const;

  std::optional<std::string> text(const std::string& field) const;
  /// A text that may be a prompt: 1 to 4096 bytes (or empty, where `may_be_empty`), no control
  /// characters but tab and newline.
  std::optional<std::string> prompt(const std::string& field, bool may_be_empty) const;
  std::optional<std::int64_t> integer(const std::string& field, std::int64_t low,
                                      std::int64_t high) const;
  std::optional<double> number(const std::string& field, double low, double high) const;
  std::optional<bool> boolean(const std::string& field) const;
  std::optional<std::string> choice(const std::string& field,
                                    const std::vector<std::string>& choices) const;
  /// nullopt for an absent field, null and -1: a random one is wanted.
  std::optional<std::uint64_t> seed(const std::string& field) const;
  /// The nested value, or nullptr; the FieldReader of that value checks that it is an object.
  const Json* nested(const std::string& field) const { return find(field); }

  /// "NAME must be MUST, got VALUE".
  Error invalid(const std::string& field, const std::string& must) const;

 private:
  struct Value {
    std::string name;  // with its path
    const Json* json;
  };
  struct Source {
    const FieldNames* names;
    std::string path;  // in front of a name; empty or with a dot at its end
  };

  const Json* find(const std::string& field) const;
  std::string shown_value(const std::string& field) const;

  std::string_view text_;
  std::vector<Source> sources_;
  std::map<std::string, Value> values_;  // by the field's id
};

}  // namespace ssd1b
