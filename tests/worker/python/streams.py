"""Draws streams with the official Python SDKs and says what each gave: read by sdk-python.test.mjs.

Standard input: {"url": ..., "cases": [{"route": "chat", "model": ...}]}
Standard output: [{"said": ..., "error": the exception's name or null}]
"""
import json
import sys

import anthropic
import openai

asked = json.load(sys.stdin)
openai_client = openai.OpenAI(base_url=asked["url"] + "/v1", api_key="us-none", max_retries=0)
anthropic_client = anthropic.Anthropic(base_url=asked["url"], api_key="us-none", max_retries=0)
MESSAGES = [{"role": "user", "content": "Hi"}]


def chat(model):
    for chunk in openai_client.chat.completions.create(model=model, messages=MESSAGES, stream=True):
        yield chunk.choices[0].delta.content or "" if chunk.choices else ""


def completions(model):
    for chunk in openai_client.completions.create(model=model, prompt="Hi", stream=True):
        yield chunk.choices[0].text or "" if chunk.choices else ""


def responses(model):
    for event in openai_client.responses.create(model=model, input="Hi", stream=True):
        yield event.delta if event.type == "response.output_text.delta" else ""


def messages(model):
    with anthropic_client.messages.stream(model=model, max_tokens=9, messages=MESSAGES) as stream:
        yield from stream.text_stream


def drawn(case):
    said = ""
    try:
        for piece in globals()[case["route"]](case["model"]):
            said += piece
        return {"said": said, "error": None}
    except Exception as error:  # Whatever it raises is the answer.
        return {"said": said, "error": type(error).__name__}


print(json.dumps([drawn(case) for case in asked["cases"]]))
