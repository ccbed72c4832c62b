//! Storage Queue, Blob, Key Vault and the identity endpoint in memory, checking signatures and tokens itself.
