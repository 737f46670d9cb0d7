#pragma once

#include <string>
#include <vector>

#include "service/dialects/dialect.h"
#include "service/http/http.h"
#include "service/routes/service.h"

namespace ssd1b {

/// What is answered: the request for the pictures itself, or one for those of a job, which may come
/// again after a failure. Only the first lets the pixels of a picture go once its file is there,
/// and ends where its time is up or its client gone.
enum class ReplyTo { PictureRequest, JobRequest };

/// A header's value holds visible ASCII only; names of folders may hold anything.
std::string header_safe(std::string text);

/// A reply without pictures so far.
PictureReply begin_reply(const Service& service, const ImageRequest& request);

/// The pictures as files. Takes a while, on the calling thread. Throws as picture_reply does.
PictureReply picture_files(const Service& service, const ImageRequest& request,
                           std::vector<GeneratedImage>& pictures, ReplyTo kind,
                           const HttpRequest& http);

/// The 200 of a request for pictures, as bytes or in the dialect's JSON: encodes the image files,
/// which takes a while, on the calling thread. `http` is the request that is answered. Throws
/// Error: DeadlineExceeded, Cancelled, OutOfMemory.
HttpReply picture_reply(const Service& service, const Dialect& dialect, const ImageRequest& request,
                        std::vector<GeneratedImage>& pictures, ReplyTo kind,
                        const HttpRequest& http);

}  // namespace ssd1b
