"""A strict, stateful stand-in for TikTok: OAuth, Content Posting API, Display API.

Imports nothing of Reelflow.

Facts name their page on developers.tiktok.com (read 2026-09-11) by a short key:

=====  =========================================================
D-MTG  content-posting-api-media-transfer-guide
D-DP   content-posting-api-reference-direct-post
D-PH   content-posting-api-reference-photo-post
D-UP   content-posting-api-reference-upload-video
D-CI   content-posting-api-reference-query-creator-info
D-ST   content-posting-api-reference-get-video-status
D-CSG  content-sharing-guidelines
D-OA   oauth-user-access-token-management
D-LKD  login-kit-desktop
D-SC   scopes-overview
D-UI   tiktok-api-v2-get-user-info
D-VO   tiktok-api-v2-video-object
D-WH   webhooks-overview, webhooks-events, webhooks-verification
D-ERR  tiktok-api-v2-error-handling
D-RL   tiktok-api-v2-rate-limit
=====  =========================================================
"""
