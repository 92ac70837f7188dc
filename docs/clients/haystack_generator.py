# Haystack: pip install haystack-ai
import os

from haystack.components.embedders import OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret

at = {"api_base_url": os.environ["UNDERSTUDY_URL"] + "/v1", "api_key": Secret.from_env_var("UNDERSTUDY_KEY"), "max_retries": 0}
chat = OpenAIChatGenerator(model=os.environ.get("UNDERSTUDY_MODEL", "policy/demo"), **at)
ask = [ChatMessage.from_user("Hello")]

print(chat.run(ask)["replies"][0].text)
chat.run(ask, streaming_callback=lambda chunk: print(chunk.content or "", end=""))
print()

embedder = OpenAITextEmbedder(model=os.environ.get("UNDERSTUDY_EMBEDDINGS", "sim/echo"), **at)
print("embedding of", len(embedder.run("Hello")["embedding"]), "numbers")
