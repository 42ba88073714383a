//! A small map that forgets what was not used for longest, bounded by a weight.

use std::collections::HashMap;
use std::hash::Hash;

/// Keeps entries while their weights add up to at most `weight_max`.
pub(crate) struct Cache<K, V> {
    entries: HashMap<K, Entry<V>>,
    weight: usize,
    weight_max: usize,
    uses: u64,
}

struct Entry<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K: Hash + Eq + Clone, V> Cache<K, V> {
    pub(crate) fn new(weight_max: usize) -> Self {
        Self { entries: HashMap::new(), weight: 0, weight_max, uses: 0 }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        self.uses += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used = self.uses;
        Some(&entry.value)
    }

    /// Puts or replaces an entry, and forgets others until the rest fits. One that alone is too heavy is kept alone.
    pub(crate) fn put(&mut self, key: K, value: V, weight: usize) {
        self.uses += 1;
        let entry = Entry { value, weight, used: self.uses };
        self.weight += weight;
        if let Some(old) = self.entries.insert(key.clone(), entry) {
            self.weight -= old.weight;
        }
        while self.weight > self.weight_max && self.entries.len() > 1 {
            let oldest = self.entries.iter().filter(|(k, _)| **k != key).min_by_key(|(_, e)| e.used);
            let Some(oldest) = oldest.map(|(k, _)| k.clone()) else { return };
            self.forget(&oldest);
        }
    }

    pub(crate) fn forget(&mut self, key: &K) {
        if let Some(old) = self.entries.remove(key) {
            self.weight -= old.weight;
        }
    }

    /// Forgets every entry that `keep` refuses.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        let gone: Vec<K> = self.entries.iter().filter(|(k, e)| !keep(k, &e.value)).map(|(k, _)| k.clone()).collect();
        gone.iter().for_each(|key| self.forget(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_what_was_not_used_for_longest_and_keeps_its_bound() {
        let mut cache = Cache::new(10);
        for key in 0..5 {
            cache.put(key, key, 3);
            assert!(cache.weight <= 10);
        }
        assert_eq!((0..5).filter(|key| cache.get(key).is_some()).collect::<Vec<_>>(), [2, 3, 4]);
        cache.get(&2);
        cache.put(9, 9, 3);
        assert!(cache.get(&2).is_some() && cache.get(&3).is_none());
        cache.put(7, 7, 50);
        assert_eq!((cache.entries.len(), cache.weight), (1, 50));
        cache.put(7, 7, 2);
        cache.retain(|key, _| *key != 7);
        assert_eq!((cache.entries.len(), cache.weight), (0, 0));
    }
}
