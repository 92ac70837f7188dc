"""The samples of OpenPipe's own page on fallback options, with OpenPipe's own package: read by openpipe.test.mjs.

Environment: OPENPIPE_BASE_URL, OPENAI_BASE_URL: Understudy's /v1. OPENPIPE_API_KEY, OPENAI_API_KEY: a gateway key.
Standard output, last line: {"<sample>": what was said, or the error's status}
"""
import json
import os

from openai import OpenAI as OpenAICompatibleClient
from openpipe import OpenAI

MESSAGES = [{"role": "system", "content": "count to 10"}]


def fallback():
    client = OpenAI()

    completion = client.chat.completions.create(
        model="openpipe:my-ft-model",
        messages=[{"role": "system", "content": "count to 10"}],
        openpipe={
            "fallback": {
                "model": "gpt-4-turbo"
            }
        },
    )
    return completion.choices[0].message.content


def timeout():
    """Its ten and twenty seconds are one and two here."""
    client = OpenAI(timeout=1, max_retries=0)

    completion = client.chat.completions.create(
        model="openpipe:my-slow-model",
        messages=[{"role": "system", "content": "count to 10"}],
        openpipe={
            "fallback": {
                "model": "gpt-4-turbo",
                "timeout": 2
            }
        },
    )
    return completion.choices[0].message.content


def client():
    client = OpenAI(
        openpipe={
            "fallback_client": OpenAICompatibleClient(api_key=os.environ["OPENAI_API_KEY"], base_url=os.environ["OTHER_BASE_URL"])
        }
    )

    completion = client.chat.completions.create(
        model="openpipe:my-ft-model",
        messages=[{"role": "system", "content": "count to 10"}],
        openpipe={
            "fallback": {"model": "gpt-4-turbo"}
        },
    )
    return completion.choices[0].message.content


def stream():
    chunks = OpenAI().chat.completions.create(
        model="openpipe:my-ft-model", messages=MESSAGES, stream=True,
        openpipe={"fallback": {"model": "gpt-4-turbo"}, "tags": {"prompt_id": "count"}},
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def ruled():
    """A rule of the Worker's owner answers before the package has to."""
    completion = OpenAI().chat.completions.create(model="openpipe:ruled-model", messages=MESSAGES, openpipe={"tags": {"prompt_id": "count"}})
    return completion.choices[0].message.content


def none():
    return OpenAI(max_retries=0).chat.completions.create(model="openpipe:my-ft-model", messages=MESSAGES).choices[0].message.content


def said(sample):
    try:
        return sample()
    except Exception as error:  # Whatever it raises is the answer.
        return getattr(error, "status_code", repr(error))


print(json.dumps({sample.__name__: said(sample) for sample in [fallback, timeout, client, stream, ruled, none]}))
