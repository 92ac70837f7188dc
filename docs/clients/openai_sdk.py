# OpenAI Python SDK: pip install openai
import os

from openai import OpenAI

client = OpenAI(base_url=os.environ["UNDERSTUDY_URL"] + "/v1", api_key=os.environ["UNDERSTUDY_KEY"])
model = os.environ.get("UNDERSTUDY_MODEL", "policy/demo")
messages = [{"role": "user", "content": "Hello"}]

raw = client.chat.completions.with_raw_response.create(model=model, messages=messages)
print(raw.parse().choices[0].message.content, "| answered by", raw.headers["x-understudy-model"])

for chunk in client.chat.completions.create(model=model, messages=messages, stream=True):
    print(chunk.choices[0].delta.content or "" if chunk.choices else "", end="")
print()

vectors = client.embeddings.create(model=os.environ.get("UNDERSTUDY_EMBEDDINGS", "sim/echo"), input="Hello")
print("embedding of", len(vectors.data[0].embedding), "numbers")

# A fallback for this request alone.
client.chat.completions.create(model="sim/overloaded", messages=messages, extra_body={"models": ["sim/echo"]})
