#!/bin/sh
# curl: an answer, a stream, an embedding
set -eu
ask() { curl -sS --fail-with-body -N "$UNDERSTUDY_URL/v1/$1" -H "authorization: Bearer $UNDERSTUDY_KEY" -H 'content-type: application/json' -d "$2"; echo; }

ask chat/completions '{"model":"policy/demo","messages":[{"role":"user","content":"Hello"}]}'
ask chat/completions '{"model":"policy/demo","stream":true,"messages":[{"role":"user","content":"Hello"}]}'
ask embeddings '{"model":"sim/echo","input":"Hello"}'
