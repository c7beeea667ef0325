"""Ask a document questions and get answers in which every sentence is a citation you can check.

import qa
bot = qa.open()
print(bot.ask("Why did Japan withhold the UN resolution?").text)
"""

from index.errors import QAError
from index.progress import Listener
from index.settings import IndexSettings
from index.types import Document
from qa.api import DocumentQA, open
from qa.conversation import Conversation
from qa.types import Answer, Citation

__all__ = ["Answer", "Citation", "Conversation", "Document", "DocumentQA", "IndexSettings", "Listener", "QAError", "open"]
