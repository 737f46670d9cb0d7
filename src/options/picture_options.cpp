#include <algorithm>
#include <cctype>

#include "options/option_lists.h"
#include "options/option_values.h"
#include "options/read_options.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::Usage, what); }

/// The format that a file's ending asks for, or empty.
std::string format_of(const std::filesystem::path& file) {
  std::string ending = file.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char byte) { return static_cast<char>(std::tolower(byte)); });
  if (ending == ".png") return "png";
  if (ending == ".jpg" || ending == ".jpeg") return "jpeg";
  if (ending == ".webp") return "webp";
  return "";
}

void check_picture(const PictureOptions& picture) {
  if (picture.prompt.empty()) refuse("--prompt must be given, as --prompt \"a red apple\"");
  if (picture.negative_prompt && picture.has_no_negative_prompt) {
    refuse("--negative-prompt and --no-negative-prompt must not be given together");
  }
}

void check_one_device(const PipelineOptions& pipeline) {
  if (pipeline.device.find(',') != std::string::npos) {
    refuse("--device of this program must be auto, cpu, cuda or cuda:N, got " +
           in_quotes(pipeline.device));
  }
}

std::vector<Option> output_list(GenerateOptions& to, std::optional<int>& quality) {
  return {
      whole_number("num-images", to.num_images, {1, 1024})
          .in("pictures")
          .says("more than one: apple-1.png, apple-2.png, ..."),
      path("output", to.output).by_default("picture.png").says("the file to write"),
      text("output-format", "NAME", to.output_format,
           {"one of png, jpeg, webp",
            [](const std::string& given) {
              return given == "png" || given == "jpeg" || given == "webp";
            }})
          .by_default("as --output ends, else png")
          .says("the kind of file"),
      whole_number("quality", quality, {1, 100})
          .by_default(std::to_string(to.quality))
          .says("of jpeg and webp"),
      on_or_off("embed-metadata", to.embed_metadata).says("the settings as text inside the file"),
      path("latents", to.latents)
          .says("also write the final latents: float32 safetensors, tensor latents [N, C, h, w]"),
  };
}

/// Fills in the format and refuses what does not go together.
void settle_output(GenerateOptions& options, std::optional<int> quality) {
  const std::string by_ending = format_of(options.output);
  if (by_ending.empty() && options.output.has_extension() && options.output_format.empty()) {
    refuse(
        "--output must end with .png, .jpg, .jpeg or .webp, or --output-format must be given, "
        "got " +
        in_quotes(options.output.string()));
  }
  if (options.output_format.empty()) options.output_format = by_ending.empty() ? "png" : by_ending;
  if (!by_ending.empty() && by_ending != options.output_format) {
    refuse("--output-format must agree with how --output ends, got " + options.output_format +
           " and " + in_quotes(options.output.string()));
  }
  if (quality && options.output_format == "png") {
    refuse("--quality must not be given with png: it is for jpeg and webp");
  }
  options.quality = quality.value_or(options.quality);
}

}  // namespace

GenerateOptions parse_generate(int argc, const char* const* argv) {
  GenerateOptions options;
  options.log.level = "warn";
  std::optional<int> quality;
  const std::vector<Option> list =
      joined({picture_list(options.picture), output_list(options, quality),
              pipeline_list(options.pipeline), log_list(options.log)});
  const Program program{"ssd1b-generate", "one prompt to picture files, without a server"};
  options.text_to_print = read_options(program, list, argc, argv).text_to_print;
  if (options.text_to_print) return options;
  check_picture(options.picture);
  check_one_device(options.pipeline);
  settle_output(options, quality);
  complete(options.pipeline);
  return options;
}

BenchOptions parse_bench(int argc, const char* const* argv) {
  BenchOptions options;
  options.log.level = "warn";
  options.picture.prompt = "a red apple";
  options.picture.seed = 0;
  std::vector<Option> list =
      joined({{whole_number("runs", options.runs, {1, 10000}).says("timed runs of each stage"),
               whole_number("warmup", options.warmup, {0, 1000})
                   .says("runs before them that do not count")},
              picture_list(options.picture),
              pipeline_list(options.pipeline),
              log_list(options.log)});
  for (Option& option : list) {
    if (option.name == "seed") option.by_default("0");
  }
  const Program program{
      "ssd1b-bench",
      "times the stages of a picture; JSON to standard output, a table to standard "
      "error"};
  options.text_to_print = read_options(program, list, argc, argv).text_to_print;
  if (options.text_to_print) return options;
  check_picture(options.picture);
  check_one_device(options.pipeline);
  complete(options.pipeline);
  return options;
}

}  // namespace ssd1b
