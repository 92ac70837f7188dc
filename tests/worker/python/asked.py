"""Asks with the official Python SDK as each case says, and says what came of it: read by sdk-python.test.mjs.

Standard input: {"url": ..., "cases": [{"route": "chat", "model": ..., "waystone": {...}, "extra_body": {...}, "extra_headers": {...}}]}
Standard output: [{"said": ..., "model": x-understudy-model, "rule": x-understudy-rule, "status": ..., "ms": ...}]
"""
import json
import sys
import time

from openai import APIStatusError, OpenAI

asked = json.load(sys.stdin)
client = OpenAI(base_url=asked["url"] + "/v1", api_key="us-none", max_retries=0)


def create(case):
    more = {name: case[name] for name in ("extra_body", "extra_headers", "timeout") if name in case}
    if "waystone" in case:
        more["metadata"] = {"waystone": json.dumps(case["waystone"])}
    if case["route"] == "responses":
        raw = client.responses.with_raw_response.create(model=case["model"], input="Your super special prompt", **more)
        return raw, raw.parse().output_text
    raw = client.chat.completions.with_raw_response.create(model=case["model"], messages=[{"role": "user", "content": "count to 10"}], **more)
    return raw, raw.parse().choices[0].message.content


def answered(case):
    started = time.monotonic()
    try:
        answer, said = create(case)
        status = 200
    except APIStatusError as error:
        answer, said, status = error.response, None, error.status_code
    model, rule = answer.headers.get("x-understudy-model"), answer.headers.get("x-understudy-rule")
    return {"said": said, "model": model, "rule": rule, "status": status, "ms": (time.monotonic() - started) * 1000}


print(json.dumps([answered(case) for case in asked["cases"]]))
