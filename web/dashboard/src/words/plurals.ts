// English texts that are another for one of something, by the text for many. `t` chooses by its value `n`.

export const plurals: Record<string, string> = {
  "In use by {n} schedules": "In use by 1 schedule",
  "{n} devices": "1 device",
  "{n} feeds of this address were not found. They may have been deleted.": "One feed of this address was not found. It may have been deleted.",
  "{n} readings": "1 reading",
};
