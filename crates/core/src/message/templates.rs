//! The texts, one entry a language, and which entry a person gets.
//!
//! A text is fixed and has exactly two named holes, `{brand}` and `{code}`; there is no other syntax and nothing is
//! configurable, so there is nothing to inject into. The budget, tested for every entry with the longest brand and code:
//! one part without the warning, two with it. That leaves a UCS-2 text 30 units of its own, and its warning 64.
//!
//! A wording that GSM-7 can carry is preferred where it is also good language (Spanish `clave`, Polish `kod`), never a
//! misspelt one. The code is not glued to letters, so that a phone recognises it.

use super::locale::Locale;

/// One language that the message is shipped in.
#[derive(Debug, PartialEq, Eq)]
pub struct Language {
    tag: &'static str,
    name: &'static str,
    text: &'static str,
    warning: &'static str,
}

impl Language {
    /// Its BCP 47 tag.
    #[must_use]
    pub const fn tag(&self) -> &'static str {
        self.tag
    }

    /// Its name in English, for documentation.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The message with its holes `{brand}` and `{code}`.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// What follows the message when the service wants the warning not to share the code.
    #[must_use]
    pub const fn warning(&self) -> &'static str {
        self.warning
    }

    /// Appends the message with its holes filled. What goes into a hole is not looked at again.
    pub(super) fn fill(&self, brand: &str, code: &str, warning: bool, text: &mut String) {
        let mut rest = self.text;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let (value, behind) = match after.split_once('}') {
                Some(("brand", behind)) => (brand, behind),
                Some(("code", behind)) => (code, behind),
                // No text has such a hole (tested); the brace would show.
                _ => ("{", after),
            };
            text.push_str(value);
            rest = behind;
        }
        text.push_str(rest);
        if warning {
            text.push_str(self.warning);
        }
    }

    /// Bytes that [`Language::fill`] appends at most.
    pub(super) const fn max_bytes(&self, brand: &str, code: &str) -> usize {
        self.text.len() + self.warning.len() + brand.len() + code.len()
    }
}

/// Every language the message is shipped in: English, then by tag.
#[must_use]
pub fn languages() -> &'static [Language] {
    &LANGUAGES
}

/// The language for `locale`: of its fallback chain the first that is shipped, or nothing.
///
/// ```
/// use verifyd_core::message::find;
///
/// let tag = |locale: &str| Some(find(&locale.parse().ok()?)?.tag());
/// assert_eq!(tag("pt-BR"), Some("pt-BR"));
/// assert_eq!(tag("pt-AO"), Some("pt"));
/// assert_eq!(tag("zh-HK"), Some("zh-Hant"));
/// assert_eq!(tag("tlh"), None);
/// ```
#[must_use]
pub fn find(locale: &Locale) -> Option<&'static Language> {
    locale.fallbacks().find_map(|tag| {
        let tag = ALIASES.iter().find(|(alias, _)| *alias == tag).map_or(tag, |(_, shipped)| *shipped);
        LANGUAGES.iter().find(|language| language.tag == tag)
    })
}

/// The language of a message: the person's locale, else the service's default, else English.
#[must_use]
pub fn resolve(wanted: Option<&Locale>, default: Option<&Locale>) -> &'static Language {
    let [english, ..] = &LANGUAGES;
    [wanted, default].into_iter().flatten().find_map(find).unwrap_or(english)
}

/// Tags that stand for a shipped one: retired codes, close relatives, and regions that imply a script (CLDR's likely subtags).
const ALIASES: [(&str, &str); 14] = [
    ("in", "id"),
    ("iw", "he"),
    ("mo", "ro"),
    ("nn", "nb"),
    ("no", "nb"),
    ("tl", "fil"),
    ("cmn", "zh"),
    ("yue", "zh-Hant"),
    ("zh-yue", "zh-Hant"),
    ("zh-Hans", "zh"),
    ("zh-HK", "zh-Hant"),
    ("zh-MO", "zh-Hant"),
    ("zh-TW", "zh-Hant"),
    ("cmn-Hant", "zh-Hant"),
];

const fn language(tag: &'static str, name: &'static str, text: &'static str, warning: &'static str) -> Language {
    Language { tag, name, text, warning }
}

/// English is Twilio's wording, because programs and people already know it.
static LANGUAGES: [Language; 40] = [
    language(
        "en",
        "English",
        "Your {brand} verification code is: {code}",
        ". Don't share this code with anyone; our employees will never ask for the code",
    ),
    language(
        "ar",
        "Arabic",
        "رمز التحقق الخاص بك في {brand} هو: {code}",
        ". لا تشاركه مع أي شخص. لن يطلبه منك موظفونا أبداً",
    ),
    language(
        "bg",
        "Bulgarian",
        "Код за потвърждение {brand}: {code}",
        ". Не го казвайте на никого. Служителите ни никога не го искат",
    ),
    language("bn", "Bangla", "আপনার {brand} যাচাইকরণ কোড: {code}", "। এটি কাউকে জানাবেন না। আমাদের কর্মীরা কখনও এটি চাইবেন না"),
    language(
        "ca",
        "Catalan",
        "El teu codi de {brand} és: {code}",
        ". No el donis a cap altra persona; el nostre equip no te'l demanarà mai",
    ),
    language(
        "cs",
        "Czech",
        "Ověřovací kód {brand}: {code}",
        ". Nikomu ho nesdělujte. Naši pracovníci se na něj nikdy neptají",
    ),
    language(
        "da",
        "Danish",
        "Din bekræftelseskode til {brand} er: {code}",
        ". Del den ikke med nogen; vores medarbejdere beder aldrig om koden",
    ),
    language(
        "de",
        "German",
        "Ihr Bestätigungscode für {brand} lautet: {code}",
        ". Geben Sie ihn nicht weiter; unsere Mitarbeiter fragen nie danach",
    ),
    language(
        "el",
        "Greek",
        "Κωδικός επαλήθευσης {brand}: {code}",
        ". Μην τον δώσετε σε κανέναν. Δεν θα σας τον ζητήσουμε ποτέ",
    ),
    language(
        "es",
        "Spanish",
        "Tu clave de {brand} para verificar este teléfono es: {code}",
        ". No la compartas con nadie; nuestro personal nunca te la va a pedir",
    ),
    language(
        "et",
        "Estonian",
        "Teie {brand} kinnituskood on: {code}",
        ". Ärge jagage seda kellegagi; meie töötajad ei küsi seda kunagi",
    ),
    language(
        "fa",
        "Persian",
        "کد تأیید شما در {brand}: {code}",
        ". آن را به کسی ندهید. ما هرگز آن را از شما نخواهیم خواست",
    ),
    language(
        "fi",
        "Finnish",
        "{brand}: vahvistuskoodisi on {code}",
        ". Älä kerro sitä kenellekään; työntekijämme eivät koskaan kysy sitä",
    ),
    language(
        "fil",
        "Filipino",
        "Ang iyong {brand} verification code ay: {code}",
        ". Huwag itong ibigay kaninuman; hindi ito hihingin ng aming mga empleyado",
    ),
    language(
        "fr",
        "French",
        "Votre code de vérification {brand} est : {code}",
        ". Ne le communiquez à personne ; nos employés ne vous le demanderont jamais",
    ),
    language(
        "he",
        "Hebrew",
        "קוד האימות שלך ב-{brand} הוא: {code}",
        ". אין לשתף אותו עם אף אחד. העובדים שלנו לעולם לא יבקשו אותו",
    ),
    language("hi", "Hindi", "आपका {brand} सत्यापन कोड है: {code}", "। इसे किसी को न बताएं। हमारे कर्मचारी इसे कभी नहीं मांगते"),
    language(
        "hr",
        "Croatian",
        "Kod za potvrdu {brand}: {code}",
        ". Nikome ga ne govorite; nitko od nas nikada ne pita za kod",
    ),
    language(
        "hu",
        "Hungarian",
        "{brand} ellenőrző kód: {code}",
        ". Ne adja meg senkinek. Munkatársaink soha nem kérik el",
    ),
    language(
        "id",
        "Indonesian",
        "Kode verifikasi {brand} Anda adalah: {code}",
        ". Jangan berikan kode ini kepada siapa pun; staf kami tidak akan memintanya",
    ),
    language(
        "it",
        "Italian",
        "Il tuo codice di verifica {brand} è: {code}",
        ". Non condividerlo con nessuno; il nostro personale non te lo chiederà mai",
    ),
    language(
        "ja",
        "Japanese",
        "{brand}の認証コード: {code}",
        " このコードを他人に教えないでください。当社の社員がお尋ねすることはありません",
    ),
    language(
        "ko",
        "Korean",
        "[{brand}] 인증번호: {code}",
        ". 다른 사람에게 알려주지 마세요. 저희 직원은 절대 묻지 않습니다",
    ),
    language(
        "ms",
        "Malay",
        "Kod pengesahan {brand} anda ialah: {code}",
        ". Jangan kongsi kod ini dengan sesiapa; kakitangan kami tidak akan memintanya",
    ),
    language(
        "nb",
        "Norwegian",
        "Bekreftelseskoden din for {brand} er: {code}",
        ". Ikke del den med noen; våre ansatte spør aldri om koden",
    ),
    language(
        "nl",
        "Dutch",
        "Je verificatiecode voor {brand} is: {code}",
        ". Deel deze code met niemand; onze medewerkers vragen er nooit om",
    ),
    language(
        "pl",
        "Polish",
        "Kod weryfikacyjny {brand}: {code}",
        ". Nie podawaj go nikomu; nikt z nas nigdy o niego nie zapyta",
    ),
    language(
        "pt",
        "Portuguese",
        "Use o PIN {code} para confirmar o seu telefone em {brand}",
        ". Nunca o partilhe com outra pessoa; a nossa equipa nunca lho vai pedir",
    ),
    language(
        "pt-BR",
        "Portuguese (Brazil)",
        "Use o PIN {code} para confirmar seu telefone em {brand}",
        ". Nunca compartilhe com outra pessoa; nossa equipe nunca vai pedir esse PIN",
    ),
    language(
        "ro",
        "Romanian",
        "Codul de verificare {brand} este: {code}",
        ". Nu da codul altei persoane; personalul nostru nu cere acest cod",
    ),
    language(
        "ru",
        "Russian",
        "Код подтверждения {brand}: {code}",
        ". Никому его не сообщайте. Наши сотрудники его не спрашивают",
    ),
    language(
        "sk",
        "Slovak",
        "Overovací kód {brand}: {code}",
        ". Nikomu ho neprezrádzajte. Naši pracovníci si ho nikdy nepýtajú",
    ),
    language(
        "sv",
        "Swedish",
        "Din verifieringskod för {brand} är: {code}",
        ". Dela den inte med någon; våra medarbetare ber aldrig om koden",
    ),
    language(
        "sw",
        "Swahili",
        "Nambari yako ya uthibitisho ya {brand} ni: {code}",
        ". Usimpe mtu yeyote; wafanyakazi wetu hawataiomba kamwe",
    ),
    language("th", "Thai", "รหัสยืนยัน {brand} ของคุณคือ {code}", " ห้ามบอกรหัสนี้กับใคร พนักงานของเราจะไม่ขอรหัสนี้จากคุณ"),
    language(
        "tr",
        "Turkish",
        "{brand} onay kodunuz: {code}",
        ". Bu kodu kimseye vermeyin; personelimiz kodu asla sormaz",
    ),
    language(
        "uk",
        "Ukrainian",
        "Код підтвердження {brand}: {code}",
        ". Нікому його не повідомляйте. Наші працівники його не питають",
    ),
    language(
        "vi",
        "Vietnamese",
        "Mã xác minh {brand}: {code}",
        ". Đừng cho ai biết mã này. Nhân viên chúng tôi không bao giờ hỏi mã",
    ),
    language("zh", "Chinese (simplified)", "【{brand}】验证码：{code}", "。请勿告诉他人，我们的工作人员不会向您索要"),
    language("zh-Hant", "Chinese (traditional)", "【{brand}】驗證碼：{code}", "。請勿告訴他人，我們的員工不會向您索取"),
];

#[cfg(test)]
#[path = "templates_tests.rs"]
mod tests;
